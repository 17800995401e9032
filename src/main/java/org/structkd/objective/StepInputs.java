package org.structkd.objective;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What one training step gives its terms. The tensors stay the caller's; terms neither close nor
 * change them.
 *
 * @param student outputs of the student by tap name
 * @param teacher outputs of the teacher by tap name, constant for every loss
 * @param labels true class per pixel, integers [B, H, W] of any type and size (terms resize them to
 *     their maps), [B, N] of tokens or [B] of vectors; or null in a step without labels
 * @param step counted from 0; with the seed of a loss it determines what that loss draws
 */
public record StepInputs(
    Map<String, Tensor> student, Map<String, Tensor> teacher, @Nullable Tensor labels, long step) {
  /** Copies the maps. */
  public StepInputs {
    student = Map.copyOf(student);
    teacher = Map.copyOf(teacher);
    if (step < 0) {
      throw new IllegalArgumentException("step is " + step + ", expected at least 0");
    }
  }

  /**
   * An output of the student.
   *
   * @throws IllegalArgumentException naming the known taps, if there is none of this name
   */
  public Tensor student(String tap) {
    return tap("student", student, tap);
  }

  /**
   * An output of the teacher.
   *
   * @throws IllegalArgumentException naming the known taps, if there is none of this name
   */
  public Tensor teacher(String tap) {
    return tap("teacher", teacher, tap);
  }

  /**
   * The labels.
   *
   * @throws IllegalArgumentException if this step has none
   */
  public Tensor requireLabels() {
    if (labels == null) {
      throw new IllegalArgumentException("step " + step + " has no labels, but a term needs them");
    }
    return labels;
  }

  /** Where numbers that are not finite come from, for a term that is not. */
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
        labels == null ? null : labels.narrow(0, index, 1),
        step);
  }

  private static Map<String, Tensor> slice(Map<String, Tensor> outputs, long index) {
    Map<String, Tensor> slices = new HashMap<>();
    outputs.forEach((name, tensor) -> slices.put(name, tensor.narrow(0, index, 1)));
    return slices;
  }

  private static Tensor tap(String network, Map<String, Tensor> outputs, String name) {
    Tensor output = outputs.get(name);
    if (output == null) {
      throw Taps.unknown(network, name, outputs.keySet());
    }
    return output;
  }
}
