package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
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
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;

/** The code of docs/tutorial.md, with fewer steps. */
class TutorialTest {
  private static final Path TUTORIAL = Path.of("docs/tutorial.md");

  /** Compiled and run by ./structkd test. */
  private static final Path EXAMPLE =
      Path.of("examples/own-data/src/main/java/com/example/owndata/OwnData.java");

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
  void aRecipeIsTrainedAsItSays() throws IOException {
    List<String> sets = List.of("train.steps=6", "data.validation=4", "data.test=4");
    Path file = folder.resolve("garments.checkpoint");
    Recipe recipe = Recipes.load("garments-kd", sets, List.of());
    Device cpu = new Device("cpu");
    Score score;
    try (Experiment experiment = Experiment.of(recipe, cpu);
        TrainableNetwork student = experiment.student(1)) {
      experiment.distiller(experiment.objective(), 1).withCheckpoint(file).train(student);
      score = experiment.evaluation(Split.TEST).of(student, cpu);
    }
    assertEquals("accuracy", score.leading().name());
    assertTrue(Files.exists(file));
  }

  /** {@return the words of every command of the page that trains} */
  static List<List<String>> commands() throws IOException {
    String page = Files.readString(TUTORIAL).replace("\\\n", " ");
    List<List<String>> commands =
        Pattern.compile("^\\./structkd ((?:distill|compare)\\b.*)$", Pattern.MULTILINE)
            .matcher(page)
            .results()
            .map(
                command ->
                    Pattern.compile("(?:'[^']*'|[^\\s'])+")
                        .matcher(command.group(1))
                        .results()
                        .map(word -> word.group().replace("'", ""))
                        .toList())
            .toList();
    assertFalse(commands.isEmpty(), "docs/tutorial.md has no command");
    return commands;
  }

  private static List<String> following(List<String> words, String option) {
    return IntStream.range(1, words.size())
        .filter(i -> words.get(i - 1).equals(option))
        .mapToObj(words::get)
        .toList();
  }

  /** Recipes, and the values that options change in them, are those that there are. */
  @ParameterizedTest
  @MethodSource("commands")
  void itsCommandsNameWhatRecipesHave(List<String> words) {
    List<String> recipes = new ArrayList<>(following(words, "--recipe"));
    if (words.get(0).equals("compare")) {
      words.stream().skip(1).takeWhile(word -> !word.startsWith("-")).forEach(recipes::add);
    } else if (recipes.isEmpty()) {
      recipes.add("skd"); // what distill trains if nothing else is said
    }
    for (String name : recipes) {
      Recipe recipe = Recipes.load(name, following(words, "--set"), following(words, "--loss"));
      assertEquals(name, recipe.name());
    }
  }

  @Test
  void itsJavaIsThatOfThisTestOrTheExample() throws IOException {
    String source =
        stripped(
            Files.readString(Path.of("src/test/java/org/structkd/train/TutorialTest.java"))
                + Files.readString(EXAMPLE));
    List<String> blocks =
        JAVA_BLOCK
            .matcher(Files.readString(TUTORIAL))
            .results()
            .map((MatchResult found) -> found.group(1))
            .toList();
    assertFalse(blocks.isEmpty(), "docs/tutorial.md has no Java block");
    for (String block : blocks) {
      assertTrue(
          source.contains(stripped(block)),
          "not in this test or " + EXAMPLE + ", line by line:\n" + block);
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
