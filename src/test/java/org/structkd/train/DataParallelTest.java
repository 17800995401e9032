package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.MadeRatings;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.RankFailedException;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.RegressionLoss;
import org.structkd.loss.RelationalLoss;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.RatingMetric;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Sgd;
import org.structkd.testing.InRanks;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;
import org.structkd.testing.Tensors;

/** Several ranks train one student. */
@InScope(threads = 1)
class DataParallelTest {
  private static final int STEPS = 12;
  private static final MadeRatings RATINGS = new MadeRatings(40, 24, 4);
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @TempDir private Path folder;

  /** A student without batch normalisation, whose ranks can equal one process. */
  private static MatrixFactorization student() {
    return student(2);
  }

  private static MatrixFactorization student(long seed) {
    return new MatrixFactorization(
        new MatrixFactorization.Config(RATINGS.users(), RATINGS.items(), 3), seed);
  }

  private static TrainingConfig config() {
    return TrainingConfig.of(STEPS, 0.1)
        .withOptimizer(new Sgd(0.1, 0.9))
        .withClipNorm(0.5)
        .withAccumulate(2)
        .withEma(0.9);
  }

  private static Objective ratings() {
    return Objective.of(term(RegressionLoss.toRatings()));
  }

  private static WeightedTerm term(Loss loss) {
    return new WeightedTerm("supervised", 1, Term.of(loss, MatrixFactorization.RATING));
  }

  private static Distiller training(ProcessGroup group) {
    return new Distiller(config(), ratings(), RATINGS.training(12)).withProcessGroup(group);
  }

  private static double[] weights(TrainableNetwork network) {
    return StateDict.parametersOf(network.module()).values().stream()
        .flatMapToDouble(weight -> Arrays.stream(Tensors.values(weight)))
        .toArray();
  }

  private static void assertClose(double[] expected, double[] actual) {
    double norm = 0;
    double gap = 0;
    for (int i = 0; i < expected.length; i++) {
      norm += expected[i] * expected[i];
      gap += Math.pow(expected[i] - actual[i], 2);
    }
    assertTrue(gap <= 1e-12 * norm, "relative distance " + Math.sqrt(gap / norm));
  }

  @Test
  void ranksEqualOneProcessWithTheJoinedBatch() throws Exception {
    List<Double> losses = new ArrayList<>();
    MatrixFactorization whole = student();
    double[] untrained = weights(whole);
    training(ProcessGroup.alone()).withListener(onStep(l -> losses.add(l.value()))).train(whole);
    assertFalse(Arrays.equals(untrained, weights(whole)));
    for (int size : new int[] {2, 3}) {
      List<Double> shared = new ArrayList<>();
      List<InRanks.Outcome<double[]>> ranks =
          InRanks.of(
              size,
              group -> {
                MatrixFactorization student = student();
                training(group)
                    .withListener(onStep(loss -> shared.add(loss.value())))
                    .train(student);
                return weights(student);
              });
      assertClose(weights(whole), ranks.get(0).orThrow());
      for (InRanks.Outcome<double[]> rank : ranks) {
        assertArrayEquals(ranks.get(0).orThrow(), rank.orThrow(), "ranks have drifted apart");
      }
      assertEquals(STEPS, shared.size(), "listeners hear of the first rank alone");
      assertClose(
          losses.stream().mapToDouble(d -> d).toArray(),
          shared.stream().mapToDouble(d -> d).toArray());
    }
  }

  @Test
  void pairsOfTheWholeBatchAreThoseOfOneProcess() throws Exception {
    for (PairwiseLoss.Reduction reduction : PairwiseLoss.Reduction.values()) {
      PairwiseLoss pairs = PairwiseLoss.ftdReleased().withReduction(reduction);
      List<double[]> losses = List.of(new double[STEPS], new double[STEPS]);
      double[] whole = trainedByPairs(ProcessGroup.alone(), pairs, losses.get(0));
      List<InRanks.Outcome<double[]>> ranks =
          InRanks.of(2, group -> trainedByPairs(group, pairs, losses.get(1)));
      assertClose(losses.get(0), losses.get(1));
      assertClose(whole, ranks.get(0).orThrow());
      assertClose(whole, ranks.get(1).orThrow());
    }
  }

  /** Its value over ranks, and its gradient, are the sums. */
  @Test
  void aSumOverExamplesIsThatOfOneProcess() throws Exception {
    List<double[]> losses = List.of(new double[STEPS], new double[STEPS]);
    double[] whole = trainedBySums(ProcessGroup.alone(), losses.get(0));
    List<InRanks.Outcome<double[]>> ranks =
        InRanks.of(2, group -> trainedBySums(group, losses.get(1)));
    assertClose(losses.get(0), losses.get(1));
    assertClose(whole, ranks.get(0).orThrow());
  }

  private static double[] trainedBySums(ProcessGroup group, double[] losses) throws IOException {
    MatrixFactorization student = student(5);
    Term sum = Term.of(new SumOfSquares(), MatrixFactorization.RATING);
    new Distiller(
            TrainingConfig.of(STEPS, 0.1).withOptimizer(new Sgd(1e-3, 0.9)),
            Objective.of(new WeightedTerm("sum", 1, sum), term(RegressionLoss.toRatings())),
            RATINGS.training(12))
        .withProcessGroup(group)
        .withListener(onStep(loss -> losses[(int) loss.step()] = loss.value()))
        .train(student);
    return weights(student);
  }

  /** Grows with the batch. */
  record SumOfSquares() implements Loss {
    @Override
    public Needs needs() {
      return new Needs(List.of(Needs.Role.of("map")), List.of(), Set.of(), Set.of(), false);
    }

    @Override
    public Tensor forward(LossInputs inputs) {
      return inputs.student("map").square().sum();
    }

    @Override
    public OverExamples overExamples() {
      return OverExamples.SUM;
    }
  }

  private static double[] trainedByPairs(ProcessGroup group, PairwiseLoss pairs, double[] losses)
      throws IOException {
    MatrixFactorization student = student(5);
    double weight = pairs.reduction() == PairwiseLoss.Reduction.SUM ? 1e-2 : 1;
    new Distiller(
            TrainingConfig.of(STEPS, 0.1).withOptimizer(new Sgd(0.1, 0.9)),
            Objective.of(
                new WeightedTerm(
                    "pairs", weight, Term.of(pairs, MatrixFactorization.USER_EMBEDDING))),
            RATINGS.training(12))
        .withTeacher(student(2))
        .withProcessGroup(group)
        .withListener(onStep(loss -> losses[(int) loss.step()] = loss.value()))
        .withListener(
            new TrainingListener() {
              @Override
              public void onWarning(String sentence) {
                throw new AssertionError(sentence);
              }
            })
        .train(student);
    return weights(student);
  }

  @Test
  void statisticsOfBatchNormalisationAreTheSameOnAllRanks() throws Exception {
    List<InRanks.Outcome<byte[]>> ranks =
        InRanks.of(
            2,
            group -> {
              SegmentationNet student = net(4, 1 + group.rank()); // begins as that of rank 0
              new Distiller(TrainingConfig.of(4, 0.01), Objectives.kd(), SceneBatches.of(SCENES, 4))
                  .withTeacher(net(8, 7))
                  .withProcessGroup(group)
                  .train(student);
              return bytes(student);
            });
    assertArrayEquals(ranks.get(0).orThrow(), ranks.get(1).orThrow());
  }

  @Test
  void theFirstRankAloneWritesAndEvaluates() throws Exception {
    List<String> events = new ArrayList<>();
    InRanks.of(
            2,
            group -> {
              Path own = Files.createDirectory(folder.resolve("rank" + group.rank()));
              MatrixFactorization student = student();
              new Distiller(
                      config().withEvaluateEvery(6).withCheckpointEvery(6),
                      ratings(),
                      RATINGS.training(12))
                  .withProcessGroup(group)
                  .withCheckpoint(own.resolve("it.checkpoint"))
                  .withEvaluation(
                      new DatasetEvaluation(
                          RATINGS, Split.VALIDATION, new RatingMetric(MatrixFactorization.RATING)))
                  .withListener(new BestCheckpoint(own.resolve("best"), student::toFile))
                  .withListener(
                      new TrainingListener() {
                        @Override
                        public void onCheckpoint(long stepsDone, Path file) {
                          events.add("rank " + group.rank() + ", " + stepsDone);
                        }
                      })
                  .train(student);
              return 0;
            })
        .forEach(InRanks.Outcome::orThrow);
    assertEquals(List.of("rank 0, 6", "rank 0, 12"), events);
    assertTrue(Files.exists(folder.resolve("rank0/best")));
    try (Stream<Path> written = Files.list(folder.resolve("rank1"))) {
      assertEquals(0, written.count());
    }
  }

  @Test
  void aSignalToOneRankStopsAllAndAnyNumberOfRanksGoesOn() throws Exception {
    MatrixFactorization whole = student();
    training(ProcessGroup.alone()).train(whole);
    Path checkpoint = folder.resolve("it.checkpoint");
    List<InRanks.Outcome<TrainingOutcome>> stopped =
        InRanks.of(
            2,
            group -> {
              StopSignal stop = new StopSignal();
              return new Distiller(
                      config(),
                      ratings(),
                      step -> {
                        if (group.rank() == 1 && step == 10) { // on its way to step 5
                          stop.request();
                        }
                        return RATINGS.training(12).prepare(step);
                      })
                  .withProcessGroup(group)
                  .withStop(stop)
                  .withCheckpoint(checkpoint)
                  .train(student());
            });
    assertFalse(stopped.get(0).orThrow().complete());
    assertEquals(stopped.get(0).orThrow().stepsDone(), stopped.get(1).orThrow().stepsDone());
    Path copy = Files.copy(checkpoint, folder.resolve("copy"));
    MatrixFactorization alone = student();
    training(ProcessGroup.alone()).withCheckpoint(copy).train(alone);
    assertClose(weights(whole), weights(alone));
    List<InRanks.Outcome<double[]>> three =
        InRanks.of(
            3,
            group -> {
              // The others do not see the disk of the first.
              Path seen = group.isFirst() ? checkpoint : folder.resolve("none" + group.rank());
              MatrixFactorization student = student();
              training(group).withCheckpoint(seen).train(student);
              return weights(student);
            });
    for (InRanks.Outcome<double[]> rank : three) {
      assertClose(weights(whole), rank.orThrow());
    }
  }

  @Test
  void aFailureOfOneRankReachesAllByItsName() throws Exception {
    Path checkpoint = folder.resolve("it.checkpoint");
    List<InRanks.Outcome<TrainingOutcome>> ranks =
        InRanks.of(
            2,
            group -> {
              Loss failing =
                  inputs -> {
                    Tensor mean = inputs.student(MatrixFactorization.RATING).square().mean();
                    return group.rank() == 1 && inputs.step() == 3
                        ? mean.mul(new Scalar(Double.NaN))
                        : mean;
                  };
              return new Distiller(
                      config(),
                      Objective.of(new WeightedTerm("fragile", 1, Term.of(failing))),
                      RATINGS.training(12))
                  .withProcessGroup(group)
                  .withCheckpoint(checkpoint)
                  .train(student());
            });
    assertEquals(DivergedException.class, ranks.get(1).failure().getClass());
    assertEquals(RankFailedException.class, ranks.get(0).failure().getClass());
    assertEquals(
        "rank 1 of 2 has failed, and so all end: " + ranks.get(1).sentence(),
        ranks.get(0).sentence());
    assertTrue(ranks.get(0).sentence().contains("term \"fragile\""), ranks.get(0).sentence());
    assertTrue(Files.exists(checkpoint), "the last whole state is saved");
  }

  @Test
  void aFailureOfTheFirstRankAloneReachesTheOthers() throws Exception {
    List<InRanks.Outcome<TrainingOutcome>> ranks =
        InRanks.of(
            2,
            group ->
                training(group)
                    .withListener(
                        atStep(
                            4,
                            () -> {
                              throw new IllegalStateException("the disk is full");
                            }))
                    .train(student()));
    assertEquals("the disk is full", ranks.get(0).sentence());
    assertEquals(
        "rank 0 of 2 has failed, and so all end: the disk is full", ranks.get(1).sentence());
  }

  @Test
  void ranksOfOtherTrainingsAreRefusedBeforeTheFirstStep() throws Exception {
    Path checkpoint = folder.resolve("it.checkpoint");
    List<InRanks.Outcome<TrainingOutcome>> ranks =
        InRanks.of(
            2,
            group ->
                training(group).withSeed(group.rank()).withCheckpoint(checkpoint).train(student()));
    assertEquals(
        "rank 1 is at another training than rank 0: it has seed 1; expected that of rank 0,"
            + " seed 0",
        ranks.get(1).sentence());
    assertEquals(
        "rank 1 of 2 has failed, and so all end: " + ranks.get(1).sentence(),
        ranks.get(0).sentence());
    assertFalse(Files.exists(checkpoint));
  }

  @Test
  void aBatchThatCannotBeSharedIsRefusedBeforeTheFirstStep() throws Exception {
    BatchSource odd = RATINGS.training(15);
    List<InRanks.Outcome<TrainingOutcome>> ranks =
        InRanks.of(
            2,
            group ->
                new Distiller(config(), ratings(), odd).withProcessGroup(group).train(student()));
    for (InRanks.Outcome<TrainingOutcome> rank : ranks) {
      assertTrue(
          rank.sentence()
              .matches(
                  "a batch has 15 examples in its \"\\w+\", which 2 ranks cannot share equally;"
                      + " expected a multiple of 2"),
          rank.sentence());
    }
  }

  @Test
  void aLossThatComparesExamplesIsTold() throws Exception {
    List<String> warnings = new ArrayList<>();
    InRanks.of(
            2,
            group -> {
              new Distiller(
                      TrainingConfig.of(1, 0.01),
                      Objective.of(
                          new WeightedTerm(
                              "pairs",
                              1,
                              Term.of(
                                  RelationalLoss.standard(), MatrixFactorization.USER_EMBEDDING))),
                      RATINGS.training(12))
                  .withTeacher(student())
                  .withProcessGroup(group)
                  .withListener(
                      new TrainingListener() {
                        @Override
                        public void onWarning(String sentence) {
                          warnings.add(sentence);
                        }
                      })
                  .train(
                      new MatrixFactorization(
                          new MatrixFactorization.Config(RATINGS.users(), RATINGS.items(), 3), 5));
              return 0;
            })
        .forEach(InRanks.Outcome::orThrow);
    assertEquals(1, warnings.size());
    assertTrue(
        warnings.get(0).startsWith("the loss of term \"pairs\" looks at all examples"),
        warnings.get(0));
  }

  @Test
  void aParameterThatOneRankAloneReachesMovesOnAll() throws Exception {
    List<InRanks.Outcome<double[]>> ranks =
        InRanks.of(
            2,
            group -> {
              Tensor parameter = Tensor.create(new double[] {1, 2}).set_requires_grad(true);
              Tensor untouched = Tensor.create(new double[] {1}).set_requires_grad(true);
              if (group.rank() == 1) {
                parameter.sum().mul(new Scalar(3)).backward();
              }
              Ranks both = new Ranks(group, new StopSignal(), 0);
              both.average(List.of(parameter, untouched));
              assertFalse(untouched.grad().defined());
              return Tensors.values(parameter.grad());
            });
    for (InRanks.Outcome<double[]> rank : ranks) {
      assertArrayEquals(new double[] {1.5, 1.5}, rank.orThrow());
    }
    assertEquals(1, torch.get_num_threads());
  }
}
