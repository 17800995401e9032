package org.structkd.recipe;

import org.jspecify.annotations.Nullable;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Optimizer;

/**
 * One of the {@code losses}: a loss, what it reads, and its weight. The keys of the loss stand
 * beside the others: {@code {loss: pairwise, preset: cirkd, eps: 1e-6, on: features, weight: 0.5}}.
 *
 * @param term the loss, wired to taps
 * @param weight factor of the loss, by step
 * @param optimizer of a part that learns against the student; null: like the student's
 */
public record TermSettings(Term term, WeightSettings weight, @Nullable Optimizer optimizer) {
  /**
   * {@return the term of an objective}
   *
   * @param name of the term
   * @param steps of the whole training
   */
  public WeightedTerm weighted(String name, long steps) {
    return new WeightedTerm(name, weight.schedule(steps), term);
  }

  /** {@return whether the loss reads outputs of a teacher} */
  public boolean readsTeacher() {
    return !term.loss().needs().teacher().isEmpty();
  }
}
