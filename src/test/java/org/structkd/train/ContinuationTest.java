package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.compress.Pruning;
import org.structkd.compress.Quantization;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.loss.AdversarialFeatureLoss;
import org.structkd.loss.ChannelMemoryLoss;
import org.structkd.loss.ClassMemoryLoss;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Adam;
import org.structkd.optim.AdamW;
import org.structkd.optim.Optimizer;
import org.structkd.optim.Schedule;
import org.structkd.optim.Sgd;
import org.structkd.testing.Evaluations;
import org.structkd.testing.InScope;
import org.structkd.testing.SmallLosses;

/**
 * A training that continues from a checkpoint ends as one that went through, bit for bit, whatever
 * moves its weights and whoever learns in it.
 */
@InScope(threads = 1)
class ContinuationTest {
  private static final int STEPS = 6;
  private static final int KILLED_AFTER = 4;
  private static final FashionScenes SCENES = FashionScenes.bundled();

  private static final Pruning PRUNING =
      new Pruning.Magnitude(
          0.5, 1, 5, 0.1, 2, 3, Pruning.Magnitude.Range.NETWORK, List.of("head."));

  private static final Quantization QUANTIZATION =
      new Quantization.Int8(2, 0.1, List.of("half_conv."));

  private static final Pruning CHANNELS =
      new Pruning.Channels(0.5, 1, 5, 0.3, 2, 3, List.of("half"));

  /** So small that its queues have gone round when the training is killed. */
  private static final ClassMemoryLoss CLASS_MEMORY =
      new ClassMemoryLoss(FashionScenes.CLASSES, 9, 5, 3, 40, 20, 0.1, 1, 1, 1);

  @TempDir private Path folder;

  /** A way to change a training. */
  private record Option(String name, UnaryOperator<TrainingConfig> change) {
    @Override
    public String toString() {
      return name;
    }
  }

  /** Every pair of optimizer and schedule, with options in turn: so all pairs of any two kinds. */
  static Stream<Arguments> trainings() {
    List<Optimizer> optimizers =
        List.of(
            new Adam(0.01),
            new Adam(0.01, 0.8, 0.9, 1e-6, 0.1, false),
            new AdamW(0.01, 0.9, 0.99, 1e-8, 0.1, false),
            new Sgd(0.1, 0.9, false, 0.01, true),
            new Sgd(0.1, 0.9, true, 0.01, false));
    List<Schedule> schedules =
        List.of(
            new Schedule.Constant(3),
            new Schedule.Poly(0.9, 2),
            new Schedule.Cosine(0.1, 0),
            new Schedule.Step(3, 0.5, 5),
            new Schedule.Milestones(List.of(2L, 5L), 0.1, 0));
    List<Option> options =
        List.of(
            new Option("nothing else", config -> config),
            new Option("clipped", config -> config.withClipNorm(0.5)),
            new Option("accumulated", config -> config.withAccumulate(2)),
            new Option("averaged", config -> config.withEma(0.9)),
            new Option("in bf16", config -> config.withPrecision(Precision.BF16)),
            new Option("pruned", config -> config.withPruning(PRUNING)),
            new Option("quantized", config -> config.withQuantization(QUANTIZATION)),
            new Option(
                "quantized after it was killed",
                config -> config.withQuantization(new Quantization.Int8(KILLED_AFTER))),
            new Option(
                "channels pruned, averaged", config -> config.withPruning(CHANNELS).withEma(0.9)),
            new Option(
                "all of it",
                config ->
                    config
                        .withClipNorm(1)
                        .withAccumulate(3)
                        .withEma(0.5)
                        .withPruning(PRUNING)
                        .withQuantization(QUANTIZATION)));
    List<Arguments> all = new ArrayList<>();
    for (int o = 0; o < optimizers.size(); o++) {
      for (int s = 0; s < schedules.size(); s++) {
        Option option = options.get((o + s) % options.size());
        all.add(Arguments.of(optimizers.get(o), schedules.get(s), option));
      }
    }
    return all.stream();
  }

  /** The objective of a student, and of everyone who can learn beside it. */
  private static Objective objective() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")),
        new WeightedTerm("connector", 0.1, Term.of(new SmallLosses.Connector(), "features")),
        new WeightedTerm("adversarial", 0.1, Term.of(new SmallLosses.Adversarial(STEPS), "logits")),
        new WeightedTerm("bank", 0.1, Term.of(new SmallLosses.Bank(), "features")),
        new WeightedTerm("classes", 0.1, Term.of(CLASS_MEMORY, "features").withIgnoreIndex(255)),
        new WeightedTerm(
            "channels", 0.1, Term.of(new ChannelMemoryLoss(20, 5, 7, 0.1), "features")),
        new WeightedTerm("game", 0.1, Term.of(AdversarialFeatureLoss.standard(), "features")));
  }

  @ParameterizedTest
  @MethodSource("trainings")
  void killedAndContinuedEqualsUninterrupted(Optimizer optimizer, Schedule schedule, Option option)
      throws IOException {
    TrainingConfig config =
        option.change.apply(
            TrainingConfig.of(STEPS, 1)
                .withOptimizer(optimizer)
                .withSchedule(schedule)
                .withEvaluateEvery(3)
                .withCheckpointEvery(2));
    Path whole = folder.resolve("whole");
    Path killed = folder.resolve("killed");
    List<String> scores = new ArrayList<>();
    train(config, whole, net(2, 1), scores, killed);
    List<String> scoresAfter = new ArrayList<>();
    SegmentationNet other = net(2, 2); // whose weights do not matter
    train(config, killed, other, scoresAfter, null);
    assertEquals(scores.subList(1, scores.size()), scoresAfter);
    try (TensorFile one = TensorFile.open(whole);
        TensorFile two = TensorFile.open(killed)) {
      assertEquals(one.names(), two.names());
      for (String name : one.names()) {
        assertTrue(torch.equal(one.tensor(name), two.tensor(name)), name);
      }
      assertEquals(one.property("best"), two.property("best"));
      assertEquals(one.property("sinceBest"), two.property("sinceBest"));
      assertTrue(one.names().contains("part.bank.bank"));
      assertTrue(one.names().contains("part.classes.pixels"));
      String game = "optimizer.part.game.";
      assertTrue(one.names().contains(game + "connectors.scale0.weight.step"));
      assertTrue(
          one.names().stream().anyMatch(name -> name.startsWith(game + "discriminators.scale0_")));
      assertTrue(one.names().contains("part.channels.channels_next"));
      assertTrue(one.names().contains("part.connector.norm.running_mean"));
      assertTrue(one.names().contains("optimizer.part.connector.lift.weight.step"));
      assertTrue(one.names().contains("optimizer.part.adversarial.judge.weight.exp_avg"));
      assertEquals(
          config.quantization() != null, one.names().contains("student.bottom_conv_range"));
      boolean averaged = config.ema() > 0;
      assertEquals(averaged, one.names().contains("average.head.weight"));
      String expected = averaged ? "average.head.weight" : "student.head.weight";
      assertTrue(
          torch.equal(one.tensor(expected), other.module().named_parameters().get("head.weight")));
    }
  }

  /**
   * Trains.
   *
   * @param copy where to keep the checkpoint of a step, as a killed process leaves it; or null
   */
  private static void train(
      TrainingConfig config, Path file, SegmentationNet student, List<String> scores, Path copy)
      throws IOException {
    new Distiller(config, objective(), SceneBatches.of(SCENES, 2))
        .withTeacher(
            new SegmentationNet(new SegmentationNet.Config(1, 3, FashionScenes.CLASSES), 7))
        .withOptimizer("adversarial", new Adam(0.005, 0, 0.9, 1e-8, 0, true))
        .withRateFactor("head.", 2)
        .withSeed(5)
        .withEvaluation(Evaluations.of(SCENES, Split.VALIDATION, 2, "upsampled"))
        .withCheckpoint(file)
        .withListener(
            new TrainingListener() {
              @Override
              public void onEvaluation(long stepsDone, Score score, int sinceBest) {
                scores.add(stepsDone + " " + score.leading().value() + " " + sinceBest);
              }

              @Override
              public void onCheckpoint(long stepsDone, Path saved) {
                if (stepsDone == KILLED_AFTER && copy != null) {
                  try {
                    Files.copy(saved, copy);
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                }
              }
            })
        .train(student);
  }
}
