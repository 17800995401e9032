package org.structkd.internal;

/**
 * Refuses settings by which a loss is the same whatever the student does: it would teach nothing.
 */
public final class ConstantLoss {
  private ConstantLoss() {}

  /**
   * Refuses a call if its loss cannot change.
   *
   * @param constant whether that is so
   * @param map the student's
   * @param why which argument or setting, and what would be right; it goes on after the student's
   *     shape
   * @throws IllegalArgumentException if it is constant
   */
  public static void refuseIf(boolean constant, MapView map, String why) {
    if (constant) {
      throw new IllegalArgumentException(
          "%s: it would be constant and teach nothing: %s %s"
              .formatted(map.loss(), TensorArguments.describe(map.name(), map.given()), why));
    }
  }

  /** Refuses logits of one class for a softmax over classes. */
  public static void refuseOneClass(MapView logits) {
    refuseIf(
        logits.map().size(1) == 1,
        logits,
        "has one channel, and a softmax over one class is 1 whatever its logit; expected 2 channels"
            + " or more");
  }
}
