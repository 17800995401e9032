package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.data.FashionScenesDataset;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Score;
import org.structkd.metric.SegmentationMetric;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;

/** The code of docs/tutorial.md, with fewer steps. */
class TutorialTest {
  private static final Path TUTORIAL = Path.of("docs/tutorial.md");
  private static final Pattern JAVA_BLOCK =
      Pattern.compile("^```java\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);

  @TempDir private Path folder;

  @Test
  void theProgramDoesWhatItSays() throws IOException {
    long steps = 6;
    try (PointerScope scope = new PointerScope()) {
      FashionScenesDataset data =
          new FashionScenesDataset(FashionScenes.bundled(), SceneBatches.ALL, 200, 1000);
      SegmentationNet student =
          new SegmentationNet(new SegmentationNet.Config(1, 6, FashionScenes.CLASSES), 1);
      Objective objective =
          Objective.of(
              new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")),
              new WeightedTerm("pixelwise", 5, Term.of(PixelwiseLoss.kd(), "logits")),
              new WeightedTerm("pairwise", 1, Term.of(PairwiseLoss.cirkd(), "features")));
      TrainingConfig config = TrainingConfig.of(steps, 0.01).withCheckpointEvery(100);
      StopSignal stop = new StopSignal();
      TrainingListener rule =
          new TrainingListener() {
            @Override
            public void onStep(StepLoss loss, double learningRate) {
              if (loss.term("supervised").value() < 0.2) {
                stop.request(); // good enough: the step ends, a checkpoint is written
              }
            }
          };
      TrainingOutcome outcome =
          new Distiller(config, objective, data.training(16))
              .withTeacher(BundledTeacher.load())
              .withCheckpoint(folder.resolve("student.checkpoint"))
              .withListener(rule)
              .withListener(
                  MetricsCsv.open(folder.resolve("metrics.csv"), "miou", objective)
                      .listener("mine"))
              .withStop(stop)
              .train(student);
      Score score =
          new DatasetEvaluation(
                  data, Split.TEST, new SegmentationMetric("upsampled", FashionScenes.CLASS_NAMES))
              .of(student, new Device("cpu"));
      AtomicFile.write(
          folder.resolve("student.safetensors"), student.toFile(Map.of("note", "mine"))::write);
      assertTrue(outcome.complete());
      assertEquals(steps, outcome.stepsDone());
      assertTrue(score.leading().value() > 0);
      assertTrue(Files.exists(folder.resolve("student.safetensors")));
    }
  }

  @Test
  void itsJavaIsThatOfThisTest() throws IOException {
    String source =
        stripped(Files.readString(Path.of("src/test/java/org/structkd/train/TutorialTest.java")));
    List<String> blocks =
        JAVA_BLOCK
            .matcher(Files.readString(TUTORIAL))
            .results()
            .map((MatchResult found) -> found.group(1))
            .toList();
    assertFalse(blocks.isEmpty(), "docs/tutorial.md has no Java block");
    for (String block : blocks) {
      assertTrue(source.contains(stripped(block)), "not in this test, line by line:\n" + block);
    }
  }

  @Test
  void linksLeadToFiles() throws IOException {
    Pattern link = Pattern.compile("\\]\\(([^)#:]+)(?:#[^)]*)?\\)");
    for (MatchResult found :
        link.matcher(Files.readString(TUTORIAL)).results().collect(Collectors.toList())) {
      Path target = TUTORIAL.resolveSibling(found.group(1));
      assertTrue(Files.exists(target), "docs/tutorial.md links to " + target);
    }
  }

  private static String stripped(String code) {
    return code.lines().map(String::strip).collect(Collectors.joining("\n"));
  }
}
