package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class CifarTest {
  private static final int PIXELS = Cifar.SIZE * Cifar.SIZE;
  private static final List<Double> MEAN = List.of(0.5, 0.25, 0.125);
  private static final List<Double> DEVIATION = List.of(0.5, 0.25, 2.0);

  @TempDir private Path folder;

  private Cifar cifar(CifarTask task, int labelled, int shift, boolean flip) throws IOException {
    return Cifar.fromDirectory(
        CifarFolder.write(folder, task),
        new Cifar.Config(task, labelled, 2, 0, shift, flip, MEAN, DEVIATION));
  }

  private static double[] images(Batch batch) {
    return Tensors.values(batch.input(Batch.IMAGES));
  }

  private static long[] labels(Batch batch) {
    double[] labels = Tensors.values(batch.target(Batch.LABELS));
    return Arrays.stream(labels).mapToLong(label -> (long) label).toArray();
  }

  private static Batch step(Cifar cifar, int size, long step) throws Exception {
    return cifar.training(size).prepare(step).tensors();
  }

  private static double expected(int image, int channel, int place) {
    float intensity = CifarFolder.level(image, channel * PIXELS + place) / 255f;
    return (float) ((intensity - MEAN.get(channel)) / DEVIATION.get(channel));
  }

  @ParameterizedTest
  @EnumSource(CifarTask.class)
  void filesAreReadByteForByte(CifarTask task) throws IOException {
    Cifar cifar = cifar(task, 0, 4, true);
    int first = task.training.size() * CifarFolder.COUNT; // of the test file
    assertEquals(CifarFolder.COUNT, cifar.size(Split.TEST));
    Batch batch = cifar.examples(Split.TEST, 1, 2);
    assertArrayEquals(new long[] {2, 3, 32, 32}, batch.input(Batch.IMAGES).shape());
    double[] images = images(batch);
    for (int at = 0; at < images.length; at++) {
      int plane = at / PIXELS;
      assertEquals(expected(first + 1 + plane / 3, plane % 3, at % PIXELS), images[at]);
    }
    long[] expected =
        IntStream.of(first + 1, first + 2)
            .mapToLong(image -> (long) image * (task.label + 1) % task.classes())
            .toArray();
    assertArrayEquals(expected, labels(batch));
    Batch kept = cifar.examples(Split.VALIDATION, 0, 2); // the last training images
    assertEquals(expected(first - 2, 0, 0), images(kept)[0]);
    assertEquals(task.classes(), cifar.classes().orElseThrow());
    assertEquals("class " + (task.classes() - 1), cifar.classNames().get(task.classes() - 1));
  }

  @Test
  void aTrainingSeesEachImageOnceARoundAndNoneOfTheOtherSplits() throws Exception {
    Cifar cifar = cifar(CifarTask.CIFAR10, 0, 0, false);
    Set<Double> seen = new HashSet<>();
    for (int step = 0; step < 3; step++) {
      double[] images = images(step(cifar, 6, step));
      for (int i = 0; i < 6; i++) {
        seen.add(images[i * 3 * PIXELS]);
      }
    }
    Set<Double> all = new HashSet<>();
    for (int image = 0; image < 18; image++) {
      all.add(expected(image, 0, 0));
    }
    assertEquals(all, seen);
  }

  @Test
  void aBatchIsAFunctionOfSeedAndStep() throws Exception {
    Cifar one = cifar(CifarTask.CIFAR10, 0, 4, true).withSeed(3);
    Cifar same = cifar(CifarTask.CIFAR10, 0, 4, true).withSeed(3);
    double[] once = images(step(one, 4, 7));
    assertArrayEquals(once, images(step(same, 4, 7)));
    assertNotEquals(Arrays.toString(once), Arrays.toString(images(step(one, 4, 8))));
    assertNotEquals(Arrays.toString(once), Arrays.toString(images(step(one.withSeed(4), 4, 7))));
  }

  @Test
  void augmentationCropsThePaddedImageAndMirrorsIt() throws Exception {
    Cifar plain = cifar(CifarTask.CIFAR10, 0, 0, false);
    Cifar moved = cifar(CifarTask.CIFAR10, 0, 1, true);
    Set<String> moves = new HashSet<>();
    for (int step = 0; step < 10; step++) {
      double[] before = images(step(plain, 18, step));
      double[] after = images(step(moved, 18, step));
      for (int i = 0; i < 18; i++) {
        int from = i * 3 * PIXELS;
        moves.add(
            move(
                Arrays.copyOfRange(before, from, from + 3 * PIXELS),
                Arrays.copyOfRange(after, from, from + 3 * PIXELS)));
      }
    }
    assertEquals(2 * 3 * 3, moves.size()); // of 180 draws none of the 18 is likely to miss
  }

  private static String move(double[] plain, double[] moved) {
    for (int down = -1; down <= 1; down++) {
      for (int right = -1; right <= 1; right++) {
        for (boolean mirrored : new boolean[] {false, true}) {
          if (Arrays.equals(moved, moved(plain, down, right, mirrored))) {
            return down + " " + right + " " + mirrored;
          }
        }
      }
    }
    throw new AssertionError("no shift of up to 1 gives this image");
  }

  private static double[] moved(double[] plain, int down, int right, boolean mirrored) {
    double[] moved = new double[plain.length];
    for (int at = 0; at < moved.length; at++) {
      int channel = at / PIXELS;
      int row = at % PIXELS / 32 - down;
      int column = at % 32 - right;
      boolean inside = row >= 0 && row < 32 && column >= 0 && column < 32;
      double black = (float) ((0f - MEAN.get(channel)) / DEVIATION.get(channel));
      int from = channel * PIXELS + row * 32 + (mirrored ? 31 - column : column);
      moved[at] = inside ? plain[from] : black;
    }
    return moved;
  }

  @Test
  void halfOfABatchIsDrawnFromTheLabelledImages() throws Exception {
    Cifar few = cifar(CifarTask.CIFAR10, 3, 0, false);
    for (int step = 0; step < 4; step++) {
      Batch batch = step(few, 5, step);
      double[] images = images(batch);
      long[] labels = labels(batch);
      for (int i = 0; i < 5; i++) {
        double corner = images[i * 3 * PIXELS];
        boolean isFirst = IntStream.range(0, 3).anyMatch(at -> expected(at, 0, 0) == corner);
        assertEquals(i < 3, isFirst);
        assertEquals(i < 3, labels[i] != SceneBatches.UNLABELLED);
      }
    }
  }

  @Test
  void namesOfClassesAreReadWhereTheyAre() throws IOException {
    Files.writeString(folder.resolve("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    assertEquals("j", cifar(CifarTask.CIFAR10, 0, 0, false).classNames().get(9));
    Files.writeString(folder.resolve("batches.meta.txt"), "a\nb\n");
    refusedFile("batches.meta.txt", "the names of 10 classes, one a line, found 2");
  }

  @Test
  void whatIsNoSuchFileIsRefused() throws IOException {
    cifar(CifarTask.CIFAR10, 0, 0, false);
    byte[] whole = CifarFolder.images(CifarTask.CIFAR10, 0, 2);
    String images = "images of 3073 bytes each, of the binary version of the data, found ";
    write("data_batch_3.bin", Arrays.copyOf(whole, whole.length - 1));
    refusedFile("data_batch_3.bin", images + "6145 bytes, 1 images and 3072 bytes");
    write("data_batch_3.bin", new byte[0]);
    refusedFile("data_batch_3.bin", images + "0 bytes");
    whole[3073] = 10;
    write("data_batch_3.bin", whole);
    refusedFile("data_batch_3.bin", "labels 0 to 9, found 10 of image 1");
    Files.delete(folder.resolve("data_batch_3.bin"));
    refusedFile("data_batch_3.bin", images + "no such file");
    Files.createDirectory(folder.resolve("data_batch_3.bin"));
    refusedFile("data_batch_3.bin", images + "no regular file");
    Path file = folder.resolve("batches.meta.txt");
    Files.writeString(file, "");
    refused(
        DataFileException.class,
        file
            + ": expected a directory with data_batch_1.bin and test_batch.bin, found no directory",
        () -> Cifar.fromDirectory(file, Cifar.Config.of(CifarTask.CIFAR10)));
  }

  @Test
  void bothLabelsOfCifar100AreChecked() throws IOException {
    for (int label = 0; label < 2; label++) {
      byte[] bytes = CifarFolder.images(CifarTask.CIFAR100, 0, 3);
      bytes[2 * 3074 + label] = (byte) 200;
      CifarFolder.write(folder, CifarTask.CIFAR100);
      write("test.bin", bytes);
      String found = (label == 0 ? "coarse labels 0 to 19" : "fine labels 0 to 99") + ", found 200";
      for (CifarTask task : List.of(CifarTask.CIFAR100, CifarTask.CIFAR100_COARSE)) {
        refused(
            DataFileException.class,
            folder.resolve("test.bin") + ": expected " + found + " of image 2",
            () -> Cifar.fromDirectory(folder, config(task)));
      }
    }
  }

  private void write(String file, byte[] bytes) throws IOException {
    Files.write(folder.resolve(file), bytes);
  }

  private static Cifar.Config config(CifarTask task) {
    return new Cifar.Config(task, 0, 2, 0, 0, false, MEAN, DEVIATION);
  }

  private void refusedFile(String file, String what) {
    refused(
        DataFileException.class,
        folder.resolve(file) + ": expected " + what,
        () -> Cifar.fromDirectory(folder, config(CifarTask.CIFAR10)));
  }

  @Test
  void whatThereIsNotIsRefused() throws IOException {
    Cifar cifar = cifar(CifarTask.CIFAR10, 0, 0, false);
    refused(
        "cifar: labelled is 2, expected at least 3, half a batch, or 0 for all images",
        () -> cifar(CifarTask.CIFAR10, 2, 0, false).training(5));
    refused("cifar: batch is 0, expected 1 to 65536", () -> cifar.training(0));
    refused(
        "cifar: validation is 5000, expected 1 to 19",
        () -> Cifar.fromDirectory(folder, Cifar.Config.of(CifarTask.CIFAR10)));
    refused(
        "cifar: labelled is 18, expected 0 to 17", () -> cifar(CifarTask.CIFAR10, 18, 0, false));
    refused(
        "cifar: shift is 33, expected 0 to 32",
        () -> new Cifar.Config(CifarTask.CIFAR10, 0, 1, 0, 33, true, MEAN, DEVIATION));
    refused(
        "mean has 0 numbers and deviation 3, expected 3 each, for red, green and blue",
        () -> new Cifar.Config(CifarTask.CIFAR10, 0, 1, 0, 0, true, List.of(), DEVIATION));
    String sentence =
        refusal(
            () ->
                new Cifar.Config(
                    CifarTask.CIFAR10, 0, 1, 0, 0, true, List.of(0.0, Double.NaN, 0.0), DEVIATION));
    assertTrue(sentence.startsWith("mean is [0.0, NaN, 0.0]"), sentence);
  }
}
