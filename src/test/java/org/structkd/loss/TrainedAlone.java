package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeInputs;

/**
 * A student that has nothing but this loss to learn from: its outputs are free numbers, which begin
 * at random and move for some steps, together with what the loss trains beside them.
 */
final class TrainedAlone {
  private static final int STEPS = 200;

  /** A gaussian number gets anywhere it has to within that many steps of this length. */
  private static final double RATE = 0.05;

  /** What may remain of the loss above that of a student that equals its teacher. */
  private static final double REMAINDER = 0.1;

  /**
   * The same of losses, by their ids, that cannot fall so far: noise is not made of a quarter of
   * it, views that noise made do not explain each other, what is drawn or kept depends on what was
   * learned, and a cross entropy keeps the entropy of its target.
   */
  private static final Map<String, Double> REMAINDERS =
      Map.of(
          "masked_generative", 0.75,
          "photometric", 0.95,
          "bidirectional_distillation", 0.95,
          "class_memory", 0.4,
          "ensemble", 0.8);

  private TrainedAlone() {}

  /** The loss falls to near what it is for equal networks, or below. */
  static void check(LossUnderTest loss) {
    LossInputs leaves = LossUnderTest.leaves(loss.inputs());
    try (TrainedPart part = loss.loss().trainedPart(leaves, 7).orElse(null)) {
      TensorVector learned = new TensorVector();
      leaves.student().values().forEach(learned::push_back);
      if (part != null) {
        part.module().to(ScalarType.Double, false);
        TensorVector parameters = part.module().parameters();
        for (long i = 0; i < parameters.size(); i++) {
          learned.push_back(parameters.get(i));
        }
      }
      double start = value(loss, leaves, 0, part);
      Adam optimizer = new Adam(learned, new AdamOptions(RATE));
      for (int step = 0; step < STEPS; step++) {
        try (PointerScope scope = new PointerScope()) {
          optimizer.zero_grad();
          loss.loss().forward(atStep(leaves, step, part)).backward();
          optimizer.step();
        }
      }
      double end = value(loss, leaves, 0, part);
      double remainder = REMAINDERS.getOrDefault(loss.id(), REMAINDER);
      double least = part == null ? valueOfEqualNetworks(loss, leaves).orElse(0.0) : 0;
      assertTrue(
          end - least <= remainder * (start - least),
          "%d steps brought it from %g to %g; equal networks have %g"
              .formatted(STEPS, start, end, least));
    }
  }

  private static double value(LossUnderTest loss, LossInputs inputs, long step, TrainedPart part) {
    return loss.loss().forward(atStep(inputs, step, part)).item_double();
  }

  /** Empty where the networks have different roles, or a teacher's output does not fit. */
  private static Optional<Double> valueOfEqualNetworks(LossUnderTest loss, LossInputs inputs) {
    if (!inputs.student().keySet().equals(inputs.teacher().keySet())) {
      return Optional.empty();
    }
    LossInputs equal =
        MadeInputs.with(inputs, inputs.teacher(), inputs.teacher(), inputs.targets());
    return Optional.of(value(loss, equal, 0, null));
  }

  private static LossInputs atStep(LossInputs in, long step, TrainedPart part) {
    return new LossInputs(
        in.student(), in.teacher(), in.targets(), in.inputs(), in.ignoreIndex(), step, part);
  }
}
