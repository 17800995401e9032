package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Scopes;

/** A loss that counts what took part, so that {@link #measure} is what it computes. */
interface CountingLoss extends Loss {
  @Override
  LossValue measure(LossInputs inputs);

  @Override
  default Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }
}
