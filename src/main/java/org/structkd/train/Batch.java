package org.structkd.train;

import org.bytedeco.pytorch.Tensor;

/**
 * What a training step learns from, on the CPU.
 *
 * @param images [B, C, H, W]
 * @param labels true class per pixel, i64 [B, H, W]
 */
public record Batch(Tensor images, Tensor labels) {
  /** Checks that both are there. */
  public Batch {
    if (images == null || labels == null) {
      throw new IllegalArgumentException(
          "the batch has no " + (images == null ? "images" : "labels") + ": null was given");
    }
  }
}
