package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A loss as it was computed.
 *
 * @param loss a scalar with a grad_fn
 * @param tookPart a whole number on the loss's device: how many pixels, nodes or samples the loss
 *     was taken of; null if the loss does not count them
 */
public record LossValue(Tensor loss, @Nullable Tensor tookPart) {}
