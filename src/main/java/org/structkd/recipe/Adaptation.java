package org.structkd.recipe;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Augmentation;

/**
 * How a teacher differs from its student: what it sees of the student's images, and which of the
 * student's classes its classes are.
 *
 * @param size height and width that images are brought to, bilinearly; null: they keep theirs
 * @param scale factor of height and width instead; null: 1
 * @param mean what the teacher was trained to have subtracted from intensities of 0 to 1, for each
 *     channel; empty: images stay normalised as the data are
 * @param deviation what they were divided by then
 * @param classes the student's class of each of the teacher's, in the order of the teacher's; -1:
 *     none; empty: they are the same
 * @param scores taps that hold class scores; empty: those of {@code logits} and {@code upsampled}
 *     that the teacher has
 */
public record Adaptation(
    Augmentation.@Nullable Size size,
    @Nullable Double scale,
    List<Double> mean,
    List<Double> deviation,
    List<Integer> classes,
    List<String> scores) {
  /** Largest scale: a map of a thousand times the elements is a slip of the pen. */
  private static final double MAX_SCALE = 32;

  /** The class of those that the student does not have. */
  public static final int NONE = -1;

  /** Checks the values, and copies the lists. */
  public Adaptation {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    classes = List.copyOf(classes);
    scores = List.copyOf(scores);
    if (size != null && scale != null) {
      throw new IllegalArgumentException("both size and scale are given, expected one of them");
    }
    if (scale != null && !(scale > 0 && scale <= MAX_SCALE)) {
      throw new IllegalArgumentException(
          "scale is %s, expected above 0, at most %s".formatted(scale, MAX_SCALE));
    }
    if (mean.size() != deviation.size()) {
      throw new IllegalArgumentException(
          "mean has %d numbers and deviation %d, expected one of each for each channel"
              .formatted(mean.size(), deviation.size()));
    }
    for (double value : deviation) {
      if (!(value > 0)) {
        throw new IllegalArgumentException("deviation is " + deviation + ", expected above 0");
      }
    }
    for (int label : classes) {
      if (label < NONE) {
        throw new IllegalArgumentException(
            "classes has %d, expected classes of the student, or -1 for none".formatted(label));
      }
    }
    if (classes.isEmpty() && !scores.isEmpty()) {
      throw new IllegalArgumentException(
          "scores is %s without classes, expected both or none".formatted(scores));
    }
  }

  /** {@return whether the teacher sees other images} */
  boolean changesImages() {
    return size != null || scale != null || !mean.isEmpty();
  }
}
