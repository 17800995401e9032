package org.structkd.loss;

/** How two class distributions of a pixel are compared; q = softmax(logits / temperature). */
public enum Divergence {
  /**
   * {@code -sum q_T log q_S}: {@link #KL_TEACHER_STUDENT} plus the entropy of the teacher, so that
   * it does not reach 0. The gradients of the two are equal.
   */
  CROSS_ENTROPY,
  /** {@code sum q_T (log q_T - log q_S)}. */
  KL_TEACHER_STUDENT,
  /** {@code sum q_S (log q_S - log q_T)}. */
  KL_STUDENT_TEACHER
}
