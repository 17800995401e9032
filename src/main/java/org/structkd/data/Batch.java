package org.structkd.data;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * What a step learns from, or an evaluation looks at: named tensors on the CPU, whose first axis
 * counts the examples.
 *
 * @param inputs what networks read, such as {@link #IMAGES}; a teacher may read others than the
 *     student
 * @param targets what is true of the examples, such as {@link #LABELS}; may be empty
 */
public record Batch(Map<String, Tensor> inputs, Map<String, Tensor> targets) {
  /** The usual input: images [B, C, H, W]. */
  public static final String IMAGES = "images";

  /** The usual target: true class of each pixel, i64 [B, H, W], or of each image, i64 [B]. */
  public static final String LABELS = "labels";

  /**
   * Copies the maps.
   *
   * @throws IllegalArgumentException if there is no input
   */
  public Batch {
    inputs = Map.copyOf(inputs);
    targets = Map.copyOf(targets);
    if (inputs.isEmpty()) {
      throw new IllegalArgumentException("the batch has no inputs, expected at least one");
    }
  }

  /** Images with labels. */
  public static Batch of(Tensor images, Tensor labels) {
    return new Batch(Map.of(IMAGES, images), Map.of(LABELS, labels));
  }
}
