package org.structkd.internal;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * True classes of the positions of a map, by one rule for every loss: integers of any type; given
 * as the map is, without channels; those of a map [B, C, H, W] in any size, resized to it by the
 * nearest neighbour; of no class where they are the ignore index, or -1 (which is what 255 becomes
 * in a signed byte).
 *
 * @param map what they belong to
 * @param values Long [B, H, W] at its size
 * @param ignoreIndex label of positions without a class
 */
public record Labels(MapView map, Tensor values, long ignoreIndex) {
  private static final long NO_CLASS = -1;

  /**
   * Checks and resizes labels.
   *
   * @throws IllegalArgumentException if they are closed, not integers, of a shape that does not
   *     fit, or on another device
   */
  public static Labels of(MapView map, @Nullable Tensor labels, long ignoreIndex) {
    Tensor plane = map.labelPlane(labels);
    ScalarType type = labels.scalar_type().intern();
    if (!torch.isIntegralType(type, true)) {
      throw new IllegalArgumentException(
          map.loss() + ": labels is " + type + ", expected integers");
    }
    Tensor resized = Operator.call("labels_at", plane, map.map().size(2), map.map().size(3));
    // They are compared as Long: a Byte compared with -1 would be compared with 255.
    return new Labels(map, resized.to(ScalarType.Long), ignoreIndex);
  }

  /** Bool [B, H, W]: true where there is a class. */
  public Tensor valid() {
    Tensor valid = values.ne(new Scalar(ignoreIndex));
    return ignoreIndex == NO_CLASS ? valid : valid.logical_and(values.ne(new Scalar(NO_CLASS)));
  }

  /**
   * Checks that labels of the CPU are classes, or none; those of a device are not read, that would
   * wait for it.
   *
   * @param classes how many there are
   * @param whose where that number comes from
   * @throws IllegalArgumentException naming a value that is neither
   */
  public void requireClasses(long classes, String whose) {
    if (!values.is_cpu()) {
      return;
    }
    Tensor counted = classesOr(0);
    long smallest = counted.min().item_long();
    long largest = counted.max().item_long();
    if (smallest < 0 || largest >= classes) {
      throw new IllegalArgumentException(
          "%s: labels has the value %s, expected 0 to %s (the channels of %s), the ignoreIndex %s%s"
              .formatted(
                  map.loss(),
                  smallest < 0 ? smallest : largest,
                  classes - 1,
                  whose,
                  ignoreIndex,
                  ignoreIndex == NO_CLASS ? "" : ", or -1"));
    }
  }

  /** One more than the largest class, at least 1. Waits for the device. */
  public long classes() {
    return Math.max(1, classesOr(NO_CLASS).max().item_long() + 1);
  }

  /** The classes, with another number where there is none. */
  public Tensor classesOr(long other) {
    return values.masked_fill(valid().logical_not(), new Scalar(other));
  }
}
