package org.structkd.train;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.internal.Named;
import org.structkd.loss.TrainedPart;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.WeightedTerm;

/**
 * Runs networks and losses on one batch before a training, so that what does not fit is known
 * before anything is changed or written, and makes what the losses train.
 */
final class DryRun {
  private DryRun() {}

  /**
   * {@return the parts of the losses by term, untouched by the run; the caller closes them}
   *
   * @param precision what the networks compute with
   * @param batch on the device of the networks
   * @param seed of the parts' initial weights
   * @throws IllegalArgumentException if an input, tap, rank or target is missing or does not fit,
   *     or what a teacher puts out is not finite
   */
  static Map<String, TrainedPart> of(
      TrainableNetwork student,
      Teachers teachers,
      Objective objective,
      Precision precision,
      Batch batch,
      long seed) {
    try (PointerScope temporaries = new PointerScope()) {
      for (String input : student.inputs()) {
        Named.in(batch.inputs(), "the batch", "input", input);
      }
      Map<String, Tensor> taught = precision.outputs(batch.inputs(), teachers::infer);
      requireFinite(objective, taught);
      Map<String, Tensor> outputs = precision.outputs(batch.inputs(), student::infer);
      StepInputs inputs =
          new StepInputs(outputs, taught, batch.targets(), batch.inputs(), Map.of(), 0);
      Map<String, TrainedPart> parts = objective.trainedParts(inputs, seed);
      try {
        Tensor anyOutput = outputs.values().iterator().next();
        parts.values().forEach(part -> part.module().to(anyOutput.device(), false));
        tryTerms(objective, inputs, parts);
        return parts;
      } catch (RuntimeException | Error e) {
        parts.values().forEach(TrainedPart::close);
        throw e;
      }
    }
  }

  /** A teacher that is broken is no matter of the training's first step. */
  private static void requireFinite(Objective objective, Map<String, Tensor> taught) {
    for (String tap : new TreeSet<>(objective.taps().teacher())) {
      Tensor output = taught.get(tap);
      if (output != null && !output.isfinite().all().item_bool()) {
        throw new IllegalArgumentException(
            ("the teacher's \"%s\" has %d of %d elements NaN or infinite for the first batch:"
                    + " check its weights, and that it sees images as it was trained to")
                .formatted(
                    tap, output.numel() - output.isfinite().sum().item_long(), output.numel()));
      }
    }
  }

  private static void tryTerms(
      Objective objective, StepInputs inputs, Map<String, TrainedPart> parts) {
    Map<String, Module> modules = new HashMap<>();
    parts.forEach((term, part) -> modules.put(term + ".", part.module()));
    Buffers before = new Buffers(modules);
    StepInputs complete =
        new StepInputs(
            inputs.student(), inputs.teacher(), inputs.targets(), inputs.inputs(), parts, 0);
    try {
      objective.compute(complete);
      for (WeightedTerm term : objective.terms()) {
        if (parts.get(term.name()) instanceof TrainedPart.Opponent opponent) {
          opponent.objective(term.inputs(complete));
        }
      }
    } catch (DivergedException e) {
      // The first step finds out why, and says so.
    } finally {
      before.putBack();
    }
  }
}
