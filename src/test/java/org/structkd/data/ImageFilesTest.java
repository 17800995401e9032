package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class ImageFilesTest {
  private static final LabelTable TABLE = LabelTable.of(List.of("dark", "bright"));
  private static final Augmentation.Size CROP = new Augmentation.Size(8, 16);
  private static final Augmentation PLAIN = new Augmentation(CROP, 1, 1, false, 0, 0, 0);
  private static final List<Double> NO_MEAN = List.of(0.0, 0.0, 0.0);
  private static final List<Double> NO_DEVIATION = List.of(1.0, 1.0, 1.0);

  @TempDir private Path root;
  private List<String> names;

  @BeforeEach
  void makeFiles() throws IOException {
    names = IntStream.range(0, 30).mapToObj(i -> "street/" + (100 + i)).toList();
    ImageFolder.pairs(root, 8, 16, names);
  }

  private static ImageFiles.Config config(Augmentation augmentation, boolean skipBroken) {
    return new ImageFiles.Config(
        TABLE, augmentation, new Augmentation.Size(8, 16), NO_MEAN, NO_DEVIATION, 0, 0, skipBroken);
  }

  private ImageFiles files(Augmentation augmentation, boolean skipBroken) throws IOException {
    return ImageFiles.of(root, ImageLayout.FOLDER, config(augmentation, skipBroken));
  }

  private static Set<String> namesOf(ImageFiles files, Split split) {
    return new HashSet<>(files.pairs(split).stream().map(ImagePair::name).toList());
  }

  @Test
  void splitsAreATenthEachAndShareNothing() throws IOException {
    ImageFiles files = files(PLAIN, false);
    Set<String> all = new HashSet<>(namesOf(files, Split.TRAIN));
    assertEquals(25, all.size());
    assertEquals(2, files.size(Split.VALIDATION));
    assertEquals(3, files.size(Split.TEST));
    all.addAll(namesOf(files, Split.VALIDATION));
    all.addAll(namesOf(files, Split.TEST));
    assertEquals(new HashSet<>(names), all);
  }

  @Test
  void listsDecideTheSplitsWhereThereAreSome() throws IOException {
    Files.createDirectories(root.resolve("splits"));
    Files.writeString(root.resolve("splits/train.txt"), "street/101\nstreet/100\n\n");
    Files.writeString(root.resolve("splits/validation.txt"), "street/102\n");
    Files.writeString(root.resolve("splits/test.txt"), "street/103\n");
    ImageFiles files = files(PLAIN, false);
    assertEquals(
        List.of("street/101", "street/100"),
        files.pairs(Split.TRAIN).stream().map(ImagePair::name).toList());
    Files.writeString(root.resolve("splits/test.txt"), "street/999\n");
    refused("test.txt:1: expected the name of a photograph in", "found street/999");
    Files.writeString(root.resolve("splits/test.txt"), "\n");
    refused("test.txt: expected names of photographs, a line each, found none");
  }

  @Test
  void pairsMustBeComplete() throws IOException {
    Path mask = root.resolve("masks/street/107.png");
    Path elsewhere = root.resolve("masks/street/207.png");
    Files.move(mask, elsewhere);
    refused("207.png: expected a photograph of this name in", "found none");
    Files.delete(elsewhere);
    refused("107.png: expected a mask street/107.png in", "found none");
  }

  private void refused(String... parts) {
    DataFileException error = assertThrows(DataFileException.class, () -> files(PLAIN, false));
    for (String part : parts) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }

  @Test
  void anExampleIsTheFileAsItIs() throws IOException {
    ImageFiles files = files(PLAIN, false);
    Batch batch = files.examples(Split.TEST, 1, 1);
    assertArrayEquals(new long[] {1, 3, 8, 16}, batch.input(Batch.IMAGES).shape());
    double[] colours = Tensors.values(batch.input(Batch.IMAGES));
    double[] labels = Tensors.values(batch.target(Batch.LABELS));
    int shade = Math.floorMod(files.pairs(Split.TEST).get(1).name().hashCode(), 64);
    for (int at = 0; at < colours.length; at++) {
      assertEquals((at % 16 < 8 ? shade : 192 + shade) / 255.0, colours[at], 1e-6);
    }
    for (int at = 0; at < labels.length; at++) {
      int row = at / 16;
      int column = at % 16;
      boolean frame = row == 0 || row == 7 || column == 0 || column == 15;
      assertEquals(frame ? 255 : column < 8 ? 0 : 1, labels[at]);
    }
  }

  @Test
  void wholePhotographsFitAndTheRestDoesNotCount() throws IOException {
    ImageFiles.Config half =
        new ImageFiles.Config(
            TABLE,
            PLAIN,
            new Augmentation.Size(6, 8),
            List.of(0.5, 0.5, 0.5),
            List.of(0.25, 0.25, 0.25),
            1,
            2,
            false);
    ImageFiles files = ImageFiles.of(root, ImageLayout.FOLDER, half);
    assertEquals(1, files.size(Split.VALIDATION));
    assertEquals(2, files.size(Split.TEST));
    Batch batch = files.examples(Split.TEST, 0, 2);
    double[] colours = Tensors.values(batch.input(Batch.IMAGES));
    double[] labels = Tensors.values(batch.target(Batch.LABELS));
    for (int at = 0; at < labels.length; at++) {
      assertEquals(at % 48 / 8 >= 4, labels[at] == 255 && colours[at % 48] == 0, "pixel " + at);
    }
    int shade = Math.floorMod(files.pairs(Split.TEST).get(0).name().hashCode(), 64);
    assertEquals((shade / 255.0 - 0.5) / 0.25, colours[8 + 1], 1e-6);
  }

  /** What predicts from a file sees what an evaluation does. */
  @Test
  void aFileReadAloneIsTheExample() throws IOException {
    List<Double> mean = List.of(0.485, 0.456, 0.406);
    List<Double> deviation = List.of(0.229, 0.224, 0.225);
    ImageFiles.Config config =
        new ImageFiles.Config(
            TABLE, PLAIN, new Augmentation.Size(8, 16), mean, deviation, 0, 0, false);
    ImageFiles files = ImageFiles.of(root, ImageLayout.FOLDER, config);
    Tensor alone =
        new PictureInput(mean, deviation, TABLE.classes())
            .read(files.pairs(Split.TEST).get(1).image());
    Tensor example = files.examples(Split.TEST, 1, 1).input(Batch.IMAGES);
    assertTrue(Tensors.sameBits(example, alone));
    // People look at the photograph, not at what is normalised.
    double[] shown = Tensors.values(files.intensities(example));
    double[] photograph =
        Tensors.values(files(PLAIN, false).examples(Split.TEST, 1, 1).input(Batch.IMAGES));
    assertArrayEquals(photograph, shown, 1e-6);
  }

  @Test
  void trainingIsAFunctionOfSeedStepAndIndex() throws Exception {
    Augmentation all = new Augmentation(new Augmentation.Size(12, 12), 0.5, 2, true, 0.4, 0.4, 0.4);
    ImageFiles files = files(all, false);
    double[] once = images(files, 3);
    assertArrayEquals(once, images(files(all, false), 3));
    assertNotEquals(Arrays.toString(once), Arrays.toString(images(files, 4)));
    assertNotEquals(Arrays.toString(once), Arrays.toString(images(files.withSeed(1), 3)));
    for (double level : once) {
      assertTrue(level >= 0 && level <= 1, "level " + level);
    }
  }

  private static double[] images(ImageFiles files, long step) throws Exception {
    return Tensors.values(files.training(4).prepare(step).tensors().input(Batch.IMAGES));
  }

  @Test
  void eachPhotographComesOnceARound() throws Exception {
    ImageFiles files = files(PLAIN, false);
    List<Long> shades = new ArrayList<>();
    for (long step = 0; step < 5; step++) {
      double[] images = images5(files, step);
      for (int i = 0; i < 5; i++) {
        shades.add(Math.round(255 * images[i * 3 * 8 * 16]));
      }
    }
    List<Long> expected =
        files.pairs(Split.TRAIN).stream()
            .map(pair -> (long) Math.floorMod(pair.name().hashCode(), 64))
            .sorted()
            .toList();
    assertEquals(expected, shades.stream().sorted().toList());
  }

  @Test
  void aRankReadsItsShareOfTheBatchThatOneProcessReads() throws Exception {
    ImageFiles files = files(new Augmentation(CROP), false);
    Batch whole = files.training(6).prepare(2).tensors();
    for (int rank = 0; rank < 3; rank++) {
      Batch own = files.training(6).share(rank, 3).prepare(2).tensors();
      Batch share = whole.share(rank, 3);
      for (String name : share.inputs().keySet()) {
        assertArrayEquals(Tensors.values(share.input(name)), Tensors.values(own.input(name)));
      }
      assertArrayEquals(
          Tensors.values(share.target(Batch.LABELS)), Tensors.values(own.target(Batch.LABELS)));
      assertEquals(2, own.input(Batch.IMAGES).size(0));
    }
  }

  private static double[] images5(ImageFiles files, long step) throws Exception {
    return Tensors.values(files.training(5).prepare(step).tensors().input(Batch.IMAGES));
  }

  @Test
  void aBrokenFileEndsATrainingOrIsLeftOut() throws Exception {
    ImagePair pair = files(PLAIN, false).pairs(Split.TRAIN).get(5);
    Files.write(pair.image(), new byte[0]);
    DataFileException error =
        assertThrows(DataFileException.class, () -> files(PLAIN, false).training(25).prepare(0));
    assertTrue(error.getMessage().startsWith(pair.image() + ": "), error.getMessage());
    assertEquals(25 * 3 * 8 * 16, images(files(PLAIN, true), 25, 0).length);
    for (ImagePair other : files(PLAIN, true).pairs(Split.TRAIN)) {
      Files.write(other.mask(), new byte[0]);
    }
    assertThrows(DataFileException.class, () -> files(PLAIN, true).training(1).prepare(0));
  }

  private static double[] images(ImageFiles files, int size, long step) throws Exception {
    return Tensors.values(files.training(size).prepare(step).tensors().input(Batch.IMAGES));
  }

  @Test
  void maskOfAnotherSizeOrAnUnknownLabelIsNamed() throws Exception {
    ImageFiles files = files(PLAIN, false);
    Path mask = files.pairs(Split.TEST).get(0).mask();
    ImageFolder.mask(mask, 8, 17, at -> 0);
    evaluationRefused(files, mask + ": expected 8 x 16 as ", "found 8 x 17");
    ImageFolder.mask(mask, 8, 16, at -> at == 35 ? 200 : 1);
    evaluationRefused(
        files,
        mask + ": expected one of the values 0 to 1, 255, found 200 at row 2, column 3",
        "; labels gives values a class");
  }

  private static void evaluationRefused(ImageFiles files, String... parts) {
    UncheckedIOException error =
        assertThrows(UncheckedIOException.class, () -> files.examples(Split.TEST, 0, 1));
    for (String part : parts) {
      assertTrue(error.getCause().getMessage().contains(part), error.getMessage());
    }
  }

  @Test
  void checkCountsWhatIsThere() throws IOException {
    ImageFiles files = files(PLAIN, false);
    Path broken = files.pairs(Split.TRAIN).get(2).image();
    Files.write(broken, new byte[] {1, 2, 3});
    ImageFindings found = files.check(done -> {});
    assertArrayEquals(new int[] {25, 2, 3}, found.photographs());
    assertEquals(1, found.faults().size());
    assertTrue(found.faults().get(0).startsWith(broken + ": "), found.faults().get(0));
    // 6 x 14 pixels within the frame of each, half of each class
    assertArrayEquals(new long[] {24 * 42, 24 * 42}, found.pixels()[0]);
    assertArrayEquals(new long[] {3 * 42, 3 * 42}, found.pixels()[2]);
    assertEquals(24 * (8 * 16 - 84), found.ignored()[0]);
    double[] shades =
        files.pairs(Split.TRAIN).stream()
            .filter(pair -> !pair.image().equals(broken))
            .mapToDouble(pair -> Math.floorMod(pair.name().hashCode(), 64) / 255.0)
            .toArray();
    double mean = Arrays.stream(shades).map(shade -> shade + 96 / 255.0).average().orElseThrow();
    assertArrayEquals(new double[] {mean, mean, mean}, found.mean(), 1e-9);
    double square =
        Arrays.stream(shades)
            .map(s -> (s * s + (s + 192 / 255.0) * (s + 192 / 255.0)) / 2)
            .average()
            .orElseThrow();
    assertEquals(Math.sqrt(square - mean * mean), found.deviation()[1], 1e-9);
    assertEquals(new Augmentation.Size(8, 16), found.smallest());
  }
}
