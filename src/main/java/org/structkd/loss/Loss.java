package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/**
 * One loss of a student, usually against a teacher. A loss is its settings: a record that checks
 * itself, whose presets are static methods. It is immutable, may be shared between threads, and is
 * a pure function of its inputs; what it learns or remembers lies in its {@link TrainedPart}.
 *
 * <p>Losses of this library have typed calls, too, such as {@code loss.forward(student, teacher)};
 * {@link #forward(LossInputs)} is how recipes, trainings and tests call any of them. A lambda is a
 * loss of its own: without {@link #needs} its roles are the taps of the networks.
 *
 * <pre>{@code
 * Loss own = inputs -> inputs.student("features").square().mean();
 * }</pre>
 */
@FunctionalInterface
public interface Loss {
  /**
   * Computes the raw loss of one step, without a weight.
   *
   * @param inputs what the networks put out, by the roles that {@link #needs} names
   * @return a scalar with a grad_fn, in the caller's PointerScope
   * @throws IllegalArgumentException if an input is missing or does not fit; names it
   */
  Tensor forward(LossInputs inputs);

  /**
   * Computes the loss with a count of what took part, by which a loss of 0 is explained. Losses
   * that do not count need not care.
   *
   * @param inputs as for {@link #forward(LossInputs)}
   * @return loss and count
   */
  default LossValue measure(LossInputs inputs) {
    return new LossValue(forward(inputs), null);
  }

  /** {@return what it reads, by which a training is checked before its first step} */
  default Needs needs() {
    return Needs.UNKNOWN;
  }

  /** What the loss of a batch is of the losses of its parts, where these are equally large. */
  enum OverExamples {
    /** Their mean, where all positions take part: as usual. */
    MEAN,
    /** Their sum: it grows with the batch. */
    SUM,
    /**
     * Neither: examples are compared with each other or with those of earlier steps, or what is
     * drawn depends on an example's place in its batch.
     */
    JOINT
  }

  /** {@return what it is over examples, which decides what ranks that share a batch have of it} */
  default OverExamples overExamples() {
    return OverExamples.MEAN;
  }

  /**
   * {@return whether it joins the shares of ranks ({@link LossInputs#shared}) itself, so that each
   * has the loss of the whole batch, although that is {@link OverExamples#JOINT}}
   */
  default boolean joinsShares() {
    return false;
  }

  /**
   * Makes the layers that this loss trains, or the state that it keeps. A training calls this once,
   * hands the part over with every step's inputs, moves it, saves it in checkpoints, and leaves it
   * out of the student's file.
   *
   * @param dryRun inputs of one batch, whose shapes the layers get
   * @param seed of the initial weights: equal seeds and shapes give equal weights. LibTorch's
   *     generator is left as it was
   * @return the part; empty for a loss that has none
   */
  default Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    return Optional.empty();
  }
}
