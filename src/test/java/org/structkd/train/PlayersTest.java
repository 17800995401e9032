package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.internal.Scopes;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.loss.TrainedPart;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Adam;
import org.structkd.optim.Schedule;
import org.structkd.testing.ForwardingNetwork;
import org.structkd.testing.InScope;
import org.structkd.testing.SmallLosses;

/** Who learns in a training beside the student, and who teaches. */
@InScope(threads = 1)
class PlayersTest {
  private static final int STEPS = 5;
  private static final FashionScenes SCENES = FashionScenes.bundled();
  private static final SceneBatches BATCHES = SceneBatches.of(SCENES, 2);
  private static final WeightedTerm SUPERVISED =
      new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled"));

  @TempDir private Path folder;

  private static WeightedTerm connector() {
    return new WeightedTerm("connector", 0.1, Term.of(new SmallLosses.Connector(), "features"));
  }

  private static WeightedTerm adversarial(long brokenAt) {
    return new WeightedTerm(
        "adversarial", 0.5, Term.of(new SmallLosses.Adversarial(brokenAt), "logits"));
  }

  private static WeightedTerm bank() {
    return new WeightedTerm("bank", 0.1, Term.of(new SmallLosses.Bank(), "features"));
  }

  private static Distiller distiller(WeightedTerm... terms) {
    return new Distiller(TrainingConfig.of(STEPS, 0.01), Objective.of(terms), BATCHES)
        .withTeacher(net(3, 7));
  }

  /** A loss, and the part that it made. */
  private static final class Watched implements Loss {
    private final Loss loss;
    private TrainedPart part;

    Watched(Loss loss) {
      this.loss = loss;
    }

    @Override
    public Needs needs() {
      return loss.needs();
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      part = loss.trainedPart(dryRun, seed).orElseThrow();
      return Optional.of(part);
    }

    @Override
    public Tensor forward(LossInputs inputs) {
      return loss.forward(inputs);
    }
  }

  private static Map<String, Tensor> copy(Module module) {
    Map<String, Tensor> copies = new HashMap<>(StateDict.parametersOf(module));
    copies.putAll(StateDict.buffersOf(module));
    copies.replaceAll((name, tensor) -> Scopes.unscoped(() -> tensor.detach().clone()));
    return copies;
  }

  @Test
  void partsLearnFromTheFirstStepOnAndAreClosedAtTheEnd() throws IOException {
    for (Loss loss :
        List.of(
            new SmallLosses.Connector(),
            new SmallLosses.Adversarial(STEPS),
            new SmallLosses.Bank())) {
      Watched watched = new Watched(loss);
      String tap = loss instanceof SmallLosses.Adversarial ? "logits" : "features";
      List<Map<String, Tensor>> states = new ArrayList<>();
      distiller(SUPERVISED, new WeightedTerm("own", 1, Term.of(watched, tap)))
          .withListener(
              new TrainingListener() {
                @Override
                public void onStart(long firstStep, long steps) {
                  states.add(copy(watched.part.module()));
                }

                @Override
                public void onStep(StepLoss step, double learningRate) {
                  states.add(copy(watched.part.module()));
                }
              })
          .train(net(2, 1));
      assertEquals(1 + STEPS, states.size());
      if (loss instanceof SmallLosses.Bank) {
        assertEquals(0, states.get(0).get("bank").abs().max().item_double(), "after the dry run");
      }
      for (int i = 1; i < states.size(); i++) {
        Map<String, Tensor> before = states.get(i - 1);
        Map<String, Tensor> after = states.get(i);
        before.forEach(
            (name, tensor) -> assertFalse(torch.equal(tensor, after.get(name)), loss + name));
      }
      assertThrows(IllegalStateException.class, () -> watched.part.module());
    }
  }

  /** The order and the arithmetic of a step, in the words of a loop of one's own. */
  @Test
  void aStepWithAnOpponentIsThatOfAHandWrittenLoop() throws Exception {
    SegmentationNet student = net(2, 1);
    Watched judge = new Watched(new SmallLosses.Adversarial(STEPS));
    List<Map<String, Tensor>> judges = new ArrayList<>();
    Adam own = new Adam(0.004, 0, 0.9, 1e-8, 0, true);
    distiller(SUPERVISED, new WeightedTerm("adversarial", 0.5, Term.of(judge, "logits")))
        .withOptimizer("adversarial", own)
        .withSeed(3)
        .withListener(atStep(STEPS - 1, () -> judges.add(copy(judge.part.module()))))
        .train(student);
    SegmentationNet teacher = net(3, 7);
    SegmentationNet expected = net(2, 1);
    SmallLosses.Adversarial loss = new SmallLosses.Adversarial(STEPS);
    TrainedPart.Opponent part = null;
    org.bytedeco.pytorch.Adam optimizer =
        new org.bytedeco.pytorch.Adam(expected.module().parameters(), new AdamOptions(0.01));
    org.bytedeco.pytorch.Adam against = null;
    expected.module().train(true);
    for (long step = 0; step < STEPS; step++) {
      Batch batch = BATCHES.prepare(step).tensors();
      Tensor images = batch.input("images");
      Tensor taught = teacher.infer(images).get("logits");
      Map<String, Tensor> outputs = expected.forward(images);
      if (part == null) {
        LossInputs shapes = inputs(outputs.get("logits"), taught, batch, null, 0);
        // The seed that an objective gives the part of this term.
        long seed = 31 * 3 + "adversarial".hashCode();
        part = (TrainedPart.Opponent) loss.trainedPart(shapes, seed).orElseThrow();
        AdamOptions options = new AdamOptions(own.rate());
        options.betas().put(own.beta2(), own.beta1()); // a tuple lies in memory from its end on
        against = new org.bytedeco.pytorch.Adam(part.module().parameters(), options);
      }
      double factor = Schedule.poly().at(step, STEPS);
      Tensor supervised =
          new CrossEntropyLoss(-1)
              .forward(
                  new LossInputs(
                      Map.of("logits", outputs.get("upsampled")),
                      Map.of(),
                      batch.targets(),
                      Map.of(),
                      OptionalLong.empty(),
                      step,
                      null));
      Tensor fooling = loss.forward(inputs(outputs.get("logits"), taught, batch, part, step));
      optimizer.zero_grad();
      supervised.mul(new Scalar(1)).add(fooling.mul(new Scalar(0.5))).backward();
      against.zero_grad();
      part.objective(inputs(outputs.get("logits").detach(), taught, batch, part, step)).backward();
      optimizer.param_groups().get(0).options().set_lr(0.01 * factor);
      against.param_groups().get(0).options().set_lr(own.rate() * factor);
      optimizer.step();
      against.step();
    }
    expected.module().eval();
    assertArrayEquals(bytes(expected), bytes(student));
    Map<String, Tensor> byHand = copy(part.module());
    judges
        .get(0)
        .forEach((name, tensor) -> assertTrue(torch.equal(tensor, byHand.get(name)), name));
    part.close();
  }

  private static LossInputs inputs(
      Tensor student, Tensor teacher, Batch batch, TrainedPart part, long step) {
    return new LossInputs(
        Map.of("map", student),
        Map.of("map", teacher),
        batch.targets(),
        batch.inputs(),
        OptionalLong.empty(),
        step,
        part);
  }

  @Test
  void aStepThatFailsInOnePlayerReachesNone() throws IOException {
    int failing = 3;
    Path failed = folder.resolve("failed");
    DivergedException error =
        assertThrows(
            DivergedException.class,
            () ->
                distiller(SUPERVISED, connector(), bank(), adversarial(failing))
                    .withCheckpoint(failed)
                    .train(net(2, 1)));
    assertEquals("adversarial", error.term());
    assertEquals(failing, error.step());
    assertTrue(error.getMessage().contains("what learns against the student"), error.getMessage());
    Path stopped = folder.resolve("stopped");
    StopSignal stop = new StopSignal();
    distiller(SUPERVISED, connector(), bank(), adversarial(failing))
        .withCheckpoint(stopped)
        .withStop(stop)
        .withListener(atStep(failing - 1, stop::request))
        .train(net(2, 1));
    try (TensorFile one = TensorFile.open(failed);
        TensorFile two = TensorFile.open(stopped)) {
      assertEquals(one.names(), two.names());
      for (String name : one.names()) {
        assertTrue(torch.equal(one.tensor(name), two.tensor(name)), name);
      }
    }
  }

  @Test
  void anOptimizerForNobodyIsRefusedBeforeTheFirstStep() {
    String said =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    distiller(SUPERVISED, connector(), adversarial(STEPS))
                        .withOptimizer("connector", new Adam(1))
                        .train(net(2, 1)))
            .getMessage();
    assertEquals(
        "there is an optimizer for term \"connector\", which has no part that learns against the"
            + " student; those that have: adversarial",
        said);
  }

  /** A network that reads images under another name. */
  private static final class Radar extends ForwardingNetwork {
    Radar(SegmentationNet net) {
      super(net);
    }

    @Override
    public Set<String> inputs() {
      return Set.of("echo");
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      return super.infer(Map.of("images", inputs.get("echo")));
    }
  }

  /** Scenes with their negatives as a second input. */
  private static BatchSource twoInputs() {
    return step -> {
      BatchSource.Prepared scenes = BATCHES.prepare(step);
      return () -> {
        Batch batch = scenes.tensors();
        Tensor images = batch.input("images");
        return new Batch(Map.of("images", images, "sar", images.neg()), batch.targets());
      };
    };
  }

  @Test
  void severalTeachersReadTheirOwnInputs() throws IOException {
    SegmentationNet first = net(3, 7);
    SegmentationNet second = net(4, 8);
    List<Boolean> equal = new ArrayList<>();
    Loss both =
        in -> {
          Tensor images = in.input("images");
          equal.add(torch.equal(in.teacher("logits"), first.infer(images).get("logits")));
          equal.add(
              torch.equal(in.teacher("radar.logits"), second.infer(images.neg()).get("logits")));
          return in.student("logits").sub(in.teacher("radar.logits")).square().mean();
        };
    new Distiller(
            TrainingConfig.of(2, 0.01),
            Objective.of(new WeightedTerm("both", 1, both)),
            twoInputs())
        .withTeacher(first)
        .withTeacher("radar", new Radar(second), Map.of("echo", "sar"))
        .train(net(2, 1));
    assertEquals(6, equal.size(), "two steps and the dry run");
    assertFalse(equal.contains(false));
  }

  @Test
  void anInputThatIsMissingIsNamedBeforeTheFirstStep() {
    Distiller distiller =
        new Distiller(TrainingConfig.of(2, 0.01), Objective.of(SUPERVISED), BATCHES)
            .withTeacher("radar", new Radar(net(3, 7)), Map.of("echo", "sar"));
    String said =
        assertThrows(IllegalArgumentException.class, () -> distiller.train(net(2, 1))).getMessage();
    assertEquals("the batch has no input \"sar\", it has: images", said);
    said =
        assertThrows(
                IllegalArgumentException.class,
                () -> distiller.withTeacher("eye", net(3, 7), Map.of("echo", "sar")))
            .getMessage();
    assertTrue(said.contains("no input \"echo\", it has: images"), said);
  }

  @Test
  void theBestWeightsAreKeptAndAnEarlyStopEndsForGood() throws IOException {
    Path best = folder.resolve("best.safetensors");
    Path checkpoint = folder.resolve("checkpoint");
    double[] values = {0.2, 0.5, 0.4, 0.5, 0.9};
    SegmentationNet student = net(2, 1);
    List<byte[]> evaluated = new ArrayList<>();
    for (int run = 0; run < 2; run++) { // the second continues, and has nothing to do
      SegmentationNet trained = run == 0 ? student : net(2, 9);
      TrainingOutcome outcome =
          new Distiller(
                  TrainingConfig.of(STEPS, 0.01)
                      .withEvaluateEvery(1)
                      .withEarlyStop(new EarlyStop(2)),
                  Objective.of(SUPERVISED),
                  BATCHES)
              .withEvaluation(new Scripted(values, () -> evaluated.add(bytes(trained))))
              .withCheckpoint(checkpoint)
              .withListener(new BestCheckpoint(best, trained::toFile))
              .train(trained);
      assertEquals(4, outcome.stepsDone());
      assertTrue(outcome.complete());
    }
    assertEquals(4, evaluated.size());
    try (TensorFile file = TensorFile.open(best);
        SegmentationNet kept = SegmentationNet.of(file)) {
      assertEquals("2", file.property("steps"));
      assertEquals("0.5", file.property("validation_miou"));
      assertArrayEquals(evaluated.get(1), bytes(kept));
    }
    assertTrue(Files.exists(checkpoint));
  }
}
