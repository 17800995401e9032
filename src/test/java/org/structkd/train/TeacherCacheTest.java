package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.BatchSource;
import org.structkd.data.DataFileException;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InScope;

/** A training whose teacher's outputs are kept is the same training, and the teacher rests. */
@InScope(threads = 1)
class TeacherCacheTest {
  private static final int STEPS = 8;
  private static final int BATCH = 3;

  /** Steps after which the same batches come again. */
  private static final int ROUND = 2;

  private static final FashionScenes SCENES = FashionScenes.bundled();
  private static final BatchSource SCENE_BATCHES = SceneBatches.of(SCENES, BATCH);
  private static final BatchSource ROUNDS = step -> SCENE_BATCHES.prepare(step % ROUND);

  @TempDir private Path folder;

  /** A teacher that counts what it computes, and whose taps a test may change. */
  private static class Counting implements TappedNetwork {
    private final SegmentationNet network;
    int examples;

    Counting(long seed) {
      network = net(3, seed);
    }

    @Override
    public Set<String> taps() {
      return network.taps();
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      examples += (int) inputs.get(IMAGES).size(0);
      return network.infer(inputs);
    }

    @Override
    public void to(Device device) {
      network.to(device);
    }

    @Override
    public String fingerprint() {
      return network.fingerprint();
    }
  }

  private static Objective objective() {
    return Objective.of(
        new WeightedTerm("pixelwise", 1, Term.of(PixelwiseLoss.kd(), "logits")),
        new WeightedTerm("pairwise", 1, Term.of(PairwiseLoss.skdCvpr19(), "features")));
  }

  private Distiller distiller(TappedNetwork teacher) {
    return new Distiller(TrainingConfig.of(STEPS, 0.01).withCheckpointEvery(0), objective(), ROUNDS)
        .withTeacher(teacher);
  }

  private byte[] trained(Distiller distiller) throws IOException {
    try (SegmentationNet student = net(2, 1)) {
      distiller.train(student);
      return bytes(student);
    }
  }

  private TeacherCache cache() {
    return new TeacherCache(folder.resolve("cache"));
  }

  private byte[] cached(TappedNetwork teacher) throws IOException {
    return trained(distiller(teacher).withTeacherCache("", cache()));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(cache().folder())) {
      return files.sorted().toList();
    }
  }

  @Test
  void theTeacherComputesEachExampleOnceAndThenNever() throws IOException {
    Counting first = new Counting(7);
    byte[] cold = cached(first);
    int tried = 2 * BATCH; // before the first step: losses, and what can be kept
    assertEquals(tried + ROUND * BATCH, first.examples);
    Counting second = new Counting(7);
    assertArrayEquals(cold, cached(second), "what was there and what was computed is the same");
    assertEquals(tried, second.examples);
    assertEquals(1, files().size());
  }

  @Test
  void aTrainingThroughACacheIsTheOneWithoutUpToF16() throws IOException {
    try (SegmentationNet through = net(2, 1);
        SegmentationNet without = net(2, 1)) {
      distiller(new Counting(7)).withTeacherCache("", cache()).train(through);
      distiller(new Counting(7)).train(without);
      Map<String, Tensor> weights = StateDict.parametersOf(without.module());
      StateDict.parametersOf(through.module())
          .forEach(
              (name, weight) -> {
                Tensor other = weights.get(name);
                double apart = weight.sub(other).abs().max().item_double();
                assertTrue(apart <= 1e-2, name + " is " + apart + " apart");
              });
      assertFalse(Arrays.equals(bytes(through), bytes(without)), "f16 was read");
    }
  }

  @Test
  void aKilledTrainingContinuesThroughTheCacheWithTheSameBits() throws IOException {
    byte[] whole = cached(new Counting(7));
    Path checkpoint = folder.resolve("checkpoint");
    Path other = folder.resolve("other");
    TeacherCache own = new TeacherCache(other);
    StopSignal stop = new StopSignal();
    Distiller killed =
        distiller(new Counting(7)).withTeacherCache("", own).withCheckpoint(checkpoint);
    killed.withStop(stop).withListener(atStep(0, stop::request));
    trained(killed);
    assertTrue(Files.exists(other), "what was computed before the checkpoint is kept");
    Counting second = new Counting(7);
    assertArrayEquals(
        whole, trained(distiller(second).withTeacherCache("", own).withCheckpoint(checkpoint)));
    assertEquals(2 * BATCH + (ROUND - 1) * BATCH, second.examples, "the first step's were kept");
  }

  @Test
  void theCacheOfAnotherTeacherOrOfOtherTapsIsRefused() throws IOException {
    cached(new Counting(7));
    DataFileException error = assertThrows(DataFileException.class, () -> cached(new Counting(8)));
    assertTrue(error.getMessage().contains("outputs of the teacher "), error.getMessage());
    assertTrue(
        error.getMessage().contains("another teacher, other taps or another precision"),
        error.getMessage());
    Distiller fewer =
        new Distiller(
                TrainingConfig.of(STEPS, 0.01).withCheckpointEvery(0),
                Objective.of(
                    new WeightedTerm("pixelwise", 1, Term.of(PixelwiseLoss.kd(), "logits"))),
                ROUNDS)
            .withTeacher(new Counting(7))
            .withTeacherCache("", cache());
    error = assertThrows(DataFileException.class, () -> trained(fewer));
    assertTrue(error.getMessage().contains("{logits=Float}"), error.getMessage());
    assertTrue(error.getMessage().contains("{features=Float, logits=Float}"), error.getMessage());
  }

  @Test
  void theOutputsOfAPrecisionServeThatPrecisionAlone() throws IOException {
    Counting first = new Counting(7);
    byte[] cold = trained(rounded(first));
    Counting second = new Counting(7);
    assertArrayEquals(cold, trained(rounded(second)));
    assertEquals(2 * BATCH, second.examples);
    assertFalse(Arrays.equals(cold, trained(distiller(new Counting(7)))), "bf16 was read");
    DataFileException error = assertThrows(DataFileException.class, () -> cached(new Counting(7)));
    assertTrue(
        error
            .getMessage()
            .contains("found those of {features=Float, logits=Float} computed in bf16"),
        error.getMessage());
  }

  /** As recipes do, which train students without the teacher first. */
  @Test
  void whatCannotBeTheCacheIsRefusedWithoutTraining() throws IOException {
    cached(new Counting(7));
    requireFit(distiller(new Counting(7)).withTeacherCache("", cache()));
    Distiller another = distiller(new Counting(8)).withTeacherCache("", cache());
    DataFileException error = assertThrows(DataFileException.class, () -> requireFit(another));
    assertTrue(error.getMessage().contains("outputs of the teacher "), error.getMessage());
    Path file = Files.createFile(folder.resolve("file"));
    Distiller misplaced = distiller(new Counting(7)).withTeacherCache("", new TeacherCache(file));
    error = assertThrows(DataFileException.class, () -> requireFit(misplaced));
    assertTrue(
        error.getMessage().contains(file + ": expected a folder of a teacher's outputs, found"),
        error.getMessage());
  }

  private static void requireFit(Distiller distiller) throws IOException {
    try (SegmentationNet student = net(2, 1)) {
      distiller.requireFit(student);
    }
  }

  private Distiller rounded(TappedNetwork teacher) {
    TrainingConfig config = TrainingConfig.of(STEPS, 0.01).withCheckpointEvery(0);
    return new Distiller(config.withPrecision(Precision.BF16), objective(), ROUNDS)
        .withTeacher(teacher)
        .withTeacherCache("", cache());
  }

  @Test
  void aDamagedFileIsComputedAgain() throws IOException {
    byte[] whole = cached(new Counting(7));
    Path file = files().get(0);
    byte[] damaged = Files.readAllBytes(file);
    damaged[damaged.length - 9] ^= 1;
    Files.write(file, damaged);
    Counting again = new Counting(7);
    assertArrayEquals(whole, cached(again));
    assertEquals(2 * BATCH + ROUND * BATCH, again.examples);
    TensorFile.open(files().get(0)).close();
    assertEquals(1, files().size());
  }

  @Test
  void filesOfOthersInTheFolderAreLeftAlone() throws IOException {
    Files.createDirectories(cache().folder());
    Path weights = cache().folder().resolve("model.safetensors");
    Path damaged = cache().folder().resolve("outputs-of-mine.safetensors");
    try (SegmentationNet other = net(3, 1)) {
      Files.write(weights, bytes(other));
    }
    Files.writeString(damaged, "none that this library wrote");
    cached(new Counting(7));
    assertTrue(files().containsAll(List.of(weights, damaged)), files().toString());
    assertEquals(3, files().size());
    assertEquals("none that this library wrote", Files.readString(damaged));
  }

  @Test
  void aFullCacheIsReadAndGrowsNoMore() throws IOException {
    Counting teacher = new Counting(7);
    TeacherCache tiny = new TeacherCache(cache().folder(), 1e-6);
    byte[] full = trained(distiller(teacher).withTeacherCache("", tiny));
    assertEquals(List.of(), files());
    assertArrayEquals(full, cached(new Counting(7)), "the same, slower");
  }

  /** Two trainings share what is free, although each began when the folder was empty. */
  @Test
  void whatOtherTrainingsWroteSinceCountsToo() throws IOException {
    cached(new Counting(7));
    double one = Files.size(files().get(0)) / 1e9;
    Files.delete(files().get(0));
    TeacherCache room = new TeacherCache(cache().folder(), 1.5 * one);
    Distiller second = distiller(new Counting(7)).withTeacherCache("", room);
    Path others = cache().folder().resolve("outputs-" + "0".repeat(32) + ".safetensors");
    byte[] full =
        trained(
            second.withListener(
                atStep(
                    0,
                    () -> {
                      try {
                        Files.write(others, new byte[(int) (one * 1e9)]);
                      } catch (IOException e) {
                        throw new UncheckedIOException(e);
                      }
                    })));
    assertEquals(List.of(others), files(), "a file of its own would have been half too much");
    Files.delete(others);
    assertArrayEquals(full, cached(new Counting(7)));
  }

  @Test
  void aDiskWithoutRoomIsKnownBeforeTheFirstStep() {
    Distiller endless =
        new Distiller(TrainingConfig.of(1L << 40, 0.01).withCheckpointEvery(0), objective(), ROUNDS)
            .withTeacher(new Counting(7))
            .withTeacherCache("", new TeacherCache(cache().folder(), 1e9));
    IOException error = assertThrows(IOException.class, () -> trained(endless));
    assertTrue(error.getMessage().contains("has no room for the teacher's outputs: up to "));
  }

  @Test
  void whatCannotBeKeptIsRefusedBeforeAnythingIsWritten() {
    refused(
        "there is a cache of a teacher \"big\", but no such teacher",
        () -> trained(distiller(new Counting(7)).withTeacherCache("big", cache())));
    refused(
        "the teacher's outputs cannot be kept: its fingerprint() is only the name of its class,"
            + " which tells nothing of its weights",
        () ->
            cached(
                new Counting(7) {
                  @Override
                  public String fingerprint() {
                    return getClass().getName();
                  }
                }));
    refused(
        "the teacher's tap features reaches 70000.0, more than f16 holds: train without its cache",
        () -> cached(changed("features", map -> map.mul(new Scalar(0)).add(new Scalar(70_000)))));
    refused(
        "the teacher's tap logits is [1, 11, 12, 12] for 3 examples, which cannot be kept by"
            + " example: train without its cache",
        () -> cached(changed("logits", map -> map.narrow(0, 0, 1))));
    refused("gigabytes is 0.0, expected a number above 0", () -> new TeacherCache(folder, 0));
    assertFalse(Files.exists(cache().folder()));
  }

  private static Counting changed(String tap, UnaryOperator<Tensor> change) {
    return new Counting(7) {
      @Override
      public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
        Map<String, Tensor> outputs = new HashMap<>(super.infer(inputs));
        outputs.computeIfPresent(tap, (name, output) -> change.apply(output));
        return outputs;
      }
    };
  }
}
