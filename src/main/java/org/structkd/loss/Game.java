package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What a discriminator minimises. */
public enum Game {
  /** Wasserstein distance, to be used with a gradient penalty. */
  WGAN,
  /** Hinge loss. */
  HINGE;

  /**
   * {@return what the discriminator minimises, a scalar in the PointerScope that is open}
   *
   * @param ofTeacher its judgement of the teacher's maps
   * @param ofStudent its judgement of the student's maps
   */
  public Tensor lossOf(Tensor ofTeacher, Tensor ofStudent) {
    return this == WGAN
        ? ofStudent.mean().sub(ofTeacher.mean())
        : hinge(ofTeacher.neg()).add(hinge(ofStudent));
  }

  private static Tensor hinge(Tensor judged) {
    return torch.relu(judged.add(new Scalar(1))).mean();
  }
}
