package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.recipe.Recipe;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;

/** A recipe of two trainings of one student: first from labels, then from the teacher. */
class StagesTest {
  private static final String STAGED =
      """
      name: staged
      summary: labels first
      data: {kind: fashion_scenes, batch: 2, labelled: 16, validation: 5, test: 5}
      teacher: {kind: bundled}
      student: {kind: segmentation_net, width: 2}
      losses:
        supervised: {loss: cross_entropy, on: upsampled, weight: 1}
        pixelwise: {loss: pixelwise, preset: kd, on: logits, weight: 5}
      train: {steps: 20, optimizer: {kind: adam, rate: 0.01}, evaluate_every: 10, checkpoint_every: 3}
      metric: {kind: segmentation, on: upsampled}
      stages:
        - name: labels
          losses:
            supervised: {loss: cross_entropy, on: upsampled, weight: 1}
          train: {steps: 30}
        - name: taught
      """;

  /** A student whose channels are pruned, and the smaller one trained on. */
  private static final String SHRUNK =
      STAGED.replace(
          """
              train: {steps: 30}
          """,
          """
              train: {steps: 30, pruning: {kind: channels, target: 0.5, begin: 5, end: 25, every: 5}}
          """);

  @TempDir private Path temp;
  private RecipeSource source;
  private Recipe recipe;
  private final RunSettings settings =
      new RunSettings("distill", List.of("staged"), 1, 1, 1, Map.of());

  private void read(String text) throws IOException {
    Path file = Files.writeString(temp.resolve("staged.yaml"), text);
    source = new RecipeSource(file.toString(), List.of(), List.of());
    recipe = source.load();
  }

  /** Runs in a folder until a step of a training, or to its end. */
  private void run(RunFolder folder, String training, long step) throws IOException {
    StopSignal stop = new StopSignal();
    RunContext context =
        new RunContext(
            new PrintWriter(new StringWriter()),
            stop,
            new Device("cpu"),
            Resume.LONGER,
            name ->
                onStep(
                    loss -> {
                      if (name.equals(training) && loss.step() == step) {
                        stop.request();
                      }
                    }));
    try (Distillation work = new Distillation(source, settings, context)) {
      work.run(folder);
    }
  }

  private RunFolder folder(String name) throws IOException {
    return RunFolder.create(temp.resolve(name), settings, List.of(recipe));
  }

  /** {@return the folder of a run that ended as one that was stopped in each of its trainings} */
  private Path ran() throws IOException {
    try (RunFolder whole = folder("whole");
        RunFolder stopped = folder("stopped")) {
      run(whole, "", 0);
      for (String training :
          List.of("alone-taught-1", "distilled-labels-1", "distilled-taught-1")) {
        assertThrows(RunWork.Stopped.class, () -> run(stopped, training, 16));
      }
      run(stopped, "", 0);
      for (String file : List.of("alone-1.safetensors", "distilled-1.safetensors", "metrics.csv")) {
        assertArrayEquals(
            Files.readAllBytes(whole.resolve(file)),
            Files.readAllBytes(stopped.resolve(file)),
            file);
      }
      return whole.path();
    }
  }

  @Test
  void stagesFollowEachOtherAndStoppedOnesEndWithTheSameBits() throws IOException {
    read(STAGED);
    List<MetricsCsv.Row> rows = MetricsCsv.read(ran().resolve("metrics.csv"));
    assertEquals(
        Set.of("alone-labels-1", "alone-taught-1", "distilled-labels-1", "distilled-taught-1"),
        rows.stream().map(MetricsCsv.Row::training).collect(Collectors.toSet()));
    // The second stage begins where the first ended, not from initial weights.
    assertTrue(total(rows, "alone-taught-1") < total(rows, "alone-labels-1"));
  }

  @Test
  void aStudentWhoseChannelsArePrunedIsSmallerFromThenOn() throws IOException {
    read(SHRUNK);
    Path folder = ran();
    try (TensorFile file = TensorFile.open(folder.resolve("distilled-1.safetensors"));
        SegmentationNet student = SegmentationNet.of(file)) {
      assertEquals(
          new SegmentationNet.Config(1, 1, 2, 2, 4, 4, 4, FashionScenes.CLASSES, false),
          student.config());
    }
    List<String> sizes = Files.readAllLines(folder.resolve("sizes.csv"));
    assertEquals(
        "network,parameters,non_zeros,dense_bytes,sparse_bytes,int8_bytes,"
            + "latency_ms,latency_runs,latency_threads,miou",
        sizes.get(0));
    long small = parameters(sizes, "student, staged");
    assertEquals(small, parameters(sizes, "student alone"));
    assertTrue(small < parameters(sizes, "student, not compressed"));
    assertTrue(Files.readString(folder.resolve("report.html")).contains("bytes int8"));
  }

  private static long parameters(List<String> sizes, String network) {
    String beginning = "\"" + network + "\",";
    String row = sizes.stream().filter(one -> one.startsWith(beginning)).findFirst().orElseThrow();
    return Long.parseLong(row.substring(beginning.length()).split(",")[0]);
  }

  /** The first that the log has of a training. */
  private static double total(List<MetricsCsv.Row> rows, String training) {
    return rows.stream()
        .filter(row -> row.training().equals(training))
        .findFirst()
        .orElseThrow()
        .total();
  }
}
