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
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.Split;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.RecipeException;
import org.structkd.recipe.Recipes;
import org.structkd.testing.InScope;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;

/** A recipe whose training ends when it gets no better, and leaves the best weights. */
@InScope(threads = 1)
class KeptBestTest {
  private static final Device CPU = new Device("cpu");

  /** The rate is so high that scores go up and down. */
  private static final String RECIPE =
      """
      name: best
      data: {kind: fashion_scenes, batch: 2, labelled: 16, validation: 5, test: 5}
      student: {kind: segmentation_net, width: 2}
      losses: {supervised: {loss: cross_entropy, on: upsampled, weight: 1}}
      train:
        steps: 200
        optimizer: {kind: adam, rate: 0.05}
        evaluate_every: 5
        early_stop: {patience: 2}
        keep_best: true
      metric: {kind: segmentation, on: upsampled}
      """;

  private final StringWriter told = new StringWriter();

  @TempDir private Path temp;

  private String file() throws IOException {
    return Files.writeString(temp.resolve("best.yaml"), RECIPE).toString();
  }

  /** {@return the folder of a run, stopped after this step; to its end if that is negative} */
  private Path run(String name, long stopAt) throws IOException {
    RunSettings settings = new RunSettings("distill", List.of("best"), 1, 1, 1, Map.of());
    RecipeSource source = new RecipeSource(file(), List.of(), List.of());
    StopSignal stop = new StopSignal();
    RunContext context =
        new RunContext(
            new PrintWriter(told),
            stop,
            CPU,
            Resume.LONGER,
            training ->
                onStep(
                    loss -> {
                      if (loss.step() == stopAt) {
                        stop.request();
                      }
                    }));
    try (RunFolder folder = RunFolder.create(temp.resolve(name), settings, List.of(source.load()));
        Distillation work = new Distillation(source, settings, context)) {
      if (stopAt >= 0) {
        assertThrows(RunWork.Stopped.class, () -> work.run(folder));
        try (Distillation again =
            new Distillation(
                source,
                settings,
                new RunContext(
                    new PrintWriter(told),
                    new StopSignal(),
                    CPU,
                    Resume.LONGER,
                    training -> onStep(loss -> {})))) {
          again.run(folder);
        }
      } else {
        work.run(folder);
      }
      return folder.path();
    }
  }

  @Test
  void theFileOfARunIsOfItsBestEvaluationAndAStoppedRunHasTheSameBits() throws IOException {
    Path whole = run("whole", -1);
    List<MetricsCsv.Row> evaluations =
        MetricsCsv.read(whole.resolve("metrics.csv")).stream()
            .filter(row -> !Double.isNaN(row.validation()))
            .toList();
    int count = evaluations.size();
    assertTrue(count > 2 && count < 40, "ended early, after evaluations: " + count);
    MetricsCsv.Row best = evaluations.get(count - 3); // two after it were no better
    Recipe recipe = Recipes.load(file());
    try (TensorFile file = TensorFile.open(whole.resolve("alone-1.safetensors"));
        SegmentationNet student = SegmentationNet.of(file);
        Experiment experiment = Experiment.of(recipe, CPU)) {
      double kept = experiment.evaluation(Split.VALIDATION).of(student, CPU).leading().value();
      assertEquals(best.validation(), kept, 1e-6); // the log has six digits
      double tested = experiment.evaluation(Split.TEST).of(student, CPU).leading().value();
      String line = "  mIoU %.4f%n".formatted(tested);
      assertTrue(told.toString().contains(line), line + told);
    }
    Path stopped = run("stopped", best.step() + 1);
    for (String name : List.of("alone-1.safetensors", "metrics.csv")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(name)), Files.readAllBytes(stopped.resolve(name)), name);
    }
  }

  @Test
  void aRecipeThatCannotEndSoIsRefusedWithThePlace() throws IOException {
    String file = file();
    String said = refused(file, "train.early_stop.patience=0");
    assertTrue(said.contains("patience is 0, expected 1 or more evaluations"), said);
    said = refused(file, "train.evaluate_every=0");
    assertTrue(said.contains("evaluate_every is 0") || said.contains("evaluateEvery is 0"), said);
    assertEquals(
        false,
        Recipes.load(file, List.of("train.early_stop=null", "train.keep_best=false"), List.of())
            .train()
            .keepBest());
  }

  private static String refused(String file, String set) {
    return assertThrows(RecipeException.class, () -> Recipes.load(file, List.of(set), List.of()))
        .getMessage();
  }
}
