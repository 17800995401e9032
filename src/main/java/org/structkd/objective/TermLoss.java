package org.structkd.objective;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A term as it was computed.
 *
 * @param loss a scalar with a grad_fn
 * @param tookPart a whole number on the loss's device: how many pixels, nodes or samples the loss
 *     was taken of; null if the term does not count them
 */
public record TermLoss(Tensor loss, @Nullable Tensor tookPart) {}
