package org.structkd.objective;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.loss.LossInputs;
import org.structkd.loss.SharedBatch;
import org.structkd.loss.TrainedPart;

/**
 * What one training step gives its terms. The tensors stay the caller's; terms neither close nor
 * change them.
 *
 * @param student outputs of the student by tap name
 * @param teacher outputs of the teacher by tap name, of several teachers by {@code NAME.tap};
 *     constant for every loss
 * @param targets targets of the batch by name, such as {@link LossInputs#LABELS}
 * @param inputs inputs of the batch by name, such as {@code images}
 * @param parts what losses train or keep, by term name
 * @param step counted from 0; with the seed of a loss it determines what that loss draws
 * @param shared the batch of which these outputs are a share; null where they are the whole batch
 */
public record StepInputs(
    Map<String, Tensor> student,
    Map<String, Tensor> teacher,
    Map<String, Tensor> targets,
    Map<String, Tensor> inputs,
    Map<String, TrainedPart> parts,
    long step,
    @Nullable SharedBatch shared) {
  /** Copies the maps. */
  public StepInputs {
    student = Map.copyOf(student);
    teacher = Map.copyOf(teacher);
    targets = Map.copyOf(targets);
    inputs = Map.copyOf(inputs);
    parts = Map.copyOf(parts);
    if (step < 0) {
      throw new IllegalArgumentException("step is " + step + ", expected at least 0");
    }
  }

  /** A step with a whole batch. */
  public StepInputs(
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      Map<String, Tensor> targets,
      Map<String, Tensor> inputs,
      Map<String, TrainedPart> parts,
      long step) {
    this(student, teacher, targets, inputs, parts, step, null);
  }

  /**
   * A step whose only target is the class of each position, and whose losses read no inputs.
   *
   * @param labels integers [B, H, W] of any type and size (losses resize them to their maps), [B,
   *     N] of tokens or [B] of vectors; or null in a step without labels
   */
  public StepInputs(
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      @Nullable Tensor labels,
      long step) {
    this(
        student,
        teacher,
        labels == null ? Map.of() : Map.of(LossInputs.LABELS, labels),
        Map.of(),
        Map.of(),
        step);
  }

  /** {@return the names of what the networks put out} */
  Taps taps() {
    return new Taps(student.keySet(), teacher.keySet());
  }

  /** {@return where a term that is not finite may have that from, as a clause} */
  String firstNonFinite() {
    for (Map.Entry<String, Tensor> tap : new TreeMap<>(student).entrySet()) {
      if (!isFinite(tap.getValue())) {
        return "the student's \""
            + tap.getKey()
            + "\" is not finite; check the images, or lower the learning rate";
      }
    }
    for (Map.Entry<String, Tensor> tap : new TreeMap<>(teacher).entrySet()) {
      if (!isFinite(tap.getValue())) {
        return "the teacher's \"" + tap.getKey() + "\" is not finite; check teacher and images";
      }
    }
    return "all outputs of student and teacher are finite; check this term and its inputs";
  }

  private static boolean isFinite(Tensor tensor) {
    return tensor.isfinite().all().item_bool();
  }

  /** How many images the batch has: the size of any tensor's first axis; 0 without tensors. */
  long images() {
    for (Tensor tensor : student.values()) {
      return tensor.size(0);
    }
    return 0;
  }

  /** Whether an output of the student can be differentiated here. */
  boolean studentRequiresGrad() {
    return GradMode.is_enabled() && student.values().stream().anyMatch(Tensor::requires_grad);
  }

  /** The same step with one image of the batch. */
  StepInputs image(long index) {
    return new StepInputs(
        slice(student, index),
        slice(teacher, index),
        slice(targets, index),
        slice(inputs, index),
        parts,
        step);
  }

  private static Map<String, Tensor> slice(Map<String, Tensor> tensors, long index) {
    Map<String, Tensor> slices = new HashMap<>();
    tensors.forEach((name, tensor) -> slices.put(name, tensor.narrow(0, index, 1)));
    return slices;
  }
}
