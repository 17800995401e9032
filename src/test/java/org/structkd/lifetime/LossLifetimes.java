package org.structkd.lifetime;

import static org.structkd.lifetime.Lifetime.owner;
import static org.structkd.lifetime.Lifetime.result;

import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Discriminator;
import org.structkd.loss.Game;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.LossValue;
import org.structkd.loss.Losses;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Projector;
import org.structkd.loss.Sampling;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.GradientCheck;
import org.structkd.objective.Objective;
import org.structkd.objective.SilentTerms;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.Tensors;

/** Lifetimes of losses, what they are made of, and objectives. */
final class LossLifetimes {
  private LossLifetimes() {}

  static Stream<Lifetime<?>> rows() {
    Stream<Lifetime<?>> losses =
        Losses.all().stream()
            .map(entry -> owner(entry.type(), () -> first(entry), loss -> gradient(entry, loss)));
    return Stream.concat(losses, rowsBesideLosses());
  }

  private static Stream<Lifetime<?>> rowsBesideLosses() {
    return Stream.of(
        result(
            GlobalStructuralSamples.class,
            () -> globalStructural().sample(Made.map(1), null, null, 1),
            samples -> Tensors.values(samples.indices())),
        owner(
            Projector.class,
            () -> new Projector(4, 3, 5),
            projector -> {
              projector.module().train(true);
              return Tensors.values(projector.forward(Made.map(1)));
            }),
        owner(
            Discriminator.class,
            () -> new Discriminator(4, 3, 5),
            net -> new double[] {net.module().parameters().size()}),
        owner(
            Game.class,
            () -> Game.HINGE,
            game -> Tensors.values(game.lossOf(torch.ones(2), torch.zeros(2)))),
        result(
            Discriminator.Judgement.class,
            () -> new Discriminator(1, 3, 5).judge(torch.ones(2, 1, 32, 32), true),
            judgement -> Tensors.values(judgement.attentions().get(0))),
        owner(
            Term.class,
            () -> Term.of(PairwiseLoss.cirkd(), "map"),
            term -> Tensors.values(term.loss().forward(term.inputs(Made.inputs(), null)))),
        owner(
            WeightedTerm.class,
            () -> new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "map")),
            term -> Tensors.values(term.term().loss().forward(term.inputs(Made.inputs())))),
        owner(
            Objective.class,
            Made::objective,
            objective -> Tensors.values(objective.compute(Made.inputs()).total())),
        owner(
            Losses.class, Losses::all, entries -> gradient(entries.get(0), first(entries.get(0)))),
        owner(
            Losses.Entry.class,
            () -> Losses.of("pairwise"),
            entry -> gradient(entry, first(entry))),
        result(
            LossInputs.class,
            LossLifetimes::lossInputs,
            inputs -> Tensors.values(inputs.student("features"))),
        result(
            LossValue.class,
            () -> globalStructural().measure(lossInputs()),
            measured -> Tensors.values(measured.loss())),
        owner(
            SilentTerms.class,
            SilentTerms::new,
            terms -> new double[] {terms.after(Made.objective().compute(Made.inputs())).size()}),
        owner(
            GradientCheck.class,
            Checked::new,
            checked -> {
              checked.student.module().zero_grad(true);
              checked.student.forward(Made.images()).get("logits").square().mean().backward();
              checked.gradients.require(0, Made::inputs);
              return Tensors.values(checked.student.module().parameters().get(0).grad());
            }),
        result(
            StepInputs.class, Made::inputs, inputs -> Tensors.values(inputs.student().get("map"))),
        result(
            StepLoss.class,
            () -> Made.objective().compute(Made.inputs()),
            loss -> Tensors.values(loss.total())));
  }

  /** A check, and the network that it looks at. */
  private static final class Checked {
    private final SegmentationNet student = Made.net();
    private final GradientCheck gradients = new GradientCheck(Made.objective(), student.module());
  }

  /** A loss in the first of its presets. */
  private static Loss first(Losses.Entry entry) {
    return entry.create(entry.presets().iterator().next());
  }

  private static double[] gradient(Losses.Entry entry, Loss loss) {
    LossUnderTest called = LossUnderTest.of(entry, loss);
    return Tensors.values(called.outcome(called.inputs()).gradients().firstEntry().getValue());
  }

  private static GlobalStructuralLoss globalStructural() {
    return GlobalStructuralLoss.standard().withSampling(Sampling.random(4));
  }

  private static LossInputs lossInputs() {
    return Term.of(globalStructural(), "map").inputs(Made.inputs(), null);
  }
}
