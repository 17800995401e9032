package org.structkd.model;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/** How the stages of a network are computed, one after the other. */
interface Stages {
  /** As they are: autograd keeps what backward needs of each. */
  Stages KEPT = UnaryOperator::apply;

  /**
   * {@return what a stage makes of its input}
   *
   * @param stage gives equal results for equal inputs
   * @param input of the network, or what an earlier stage gave
   */
  Tensor of(UnaryOperator<Tensor> stage, Tensor input);
}
