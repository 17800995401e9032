package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.compress.QuantizedFile;
import org.structkd.model.NetworkFile;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingListener;

/** The recipe densenet-prune-quant-ab in few steps: its stages, and what is left after each. */
@InScope(threads = 1)
class CompressionStagesTest {
  private static final List<String> FEW_STEPS =
      List.of(
          "data.batch=4",
          "data.validation=2",
          "data.test=10",
          "student.growth=2",
          "train.evaluate_every=0",
          "stages.0.train.steps=4",
          "stages.0.train.pruning={kind: magnitude, target: 0.5, begin: 1, end: 3, every: 1}",
          "stages.1.train.steps=3",
          "stages.2.train.steps=3",
          "stages.3.train.steps=3");

  @TempDir private Path temp;

  private Path ran() throws IOException {
    RecipeSource source = new RecipeSource("densenet-prune-quant-ab", FEW_STEPS, List.of());
    RunSettings settings =
        new RunSettings("distill", List.of("densenet-prune-quant-ab"), 1, 1, 1, Map.of());
    RunContext context =
        new RunContext(
            new PrintWriter(new StringWriter()),
            new StopSignal(),
            new Device("cpu"),
            Resume.LONGER,
            name -> new TrainingListener() {});
    try (RunFolder folder =
            RunFolder.create(temp.resolve("run"), settings, List.of(source.load()));
        Distillation work = new Distillation(source, settings, context)) {
      work.run(folder);
      return folder.path();
    }
  }

  @Test
  void everyStageIsMeasuredAndPrunedWeightsStayZeroToTheEnd() throws IOException {
    Path folder = ran();
    List<String> rows = Files.readAllLines(folder.resolve("sizes.csv"));
    assertTrue(rows.get(0).endsWith(",latency_threads,accuracy"), rows.get(0));
    String student = "\"student, densenet-prune-quant-ab";
    assertEquals(
        List.of(
            "\"teacher\"",
            "\"student, not compressed\"",
            "\"student alone after prune\"",
            "\"student alone\"",
            student + " after prune\"",
            student + " after boundaries\"",
            student + " after distil\"",
            student + "\""),
        rows.stream()
            .skip(1)
            .map(row -> row.substring(0, row.lastIndexOf('"') + 1))
            .collect(Collectors.toList()));
    for (String row : rows.subList(5, rows.size())) { // zeros may become more, never less
      String[] cells = row.substring(row.lastIndexOf('"') + 2).split(",");
      assertTrue(Long.parseLong(cells[1]) < 0.75 * Long.parseLong(cells[0]), row);
      assertEquals(9, cells.length);
    }
    try (TensorFile pruned = TensorFile.open(folder.resolve(checkpoint("prune")));
        TensorFile distilled = TensorFile.open(folder.resolve(checkpoint("distil")));
        TensorFile file = TensorFile.open(folder.resolve("distilled-1.safetensors"));
        TrainableNetwork network = NetworkFile.network(file)) {
      TensorFile eightBits = QuantizedFile.of(network, Map.of());
      int weights = 0;
      for (Map.Entry<String, Tensor> weight : StateDict.parametersOf(network.module()).entrySet()) {
        if (weight.getValue().dim() < 2) {
          continue;
        }
        weights++;
        String name = weight.getKey();
        Tensor zeros = pruned.tensor("student." + name).eq(new Scalar(0));
        assertEquals(
            Math.round(0.5 * zeros.numel()), zeros.sum().item_long(), 1, name + " is half pruned");
        for (Tensor later :
            new Tensor[] {
              distilled.tensor("student." + name), weight.getValue(), eightBits.tensor(name)
            }) {
          assertNotNull(later, name);
          assertEquals(0, later.masked_select(zeros).count_nonzero().item_long(), name);
        }
      }
      assertEquals(13, weights); // twelve convolutions and the linear layer
    }
  }

  private static String checkpoint(String stage) {
    return "distilled-" + stage + "-1.checkpoint";
  }
}
