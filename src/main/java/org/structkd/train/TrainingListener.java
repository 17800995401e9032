package org.structkd.train;

import java.nio.file.Path;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;

/**
 * Is told what happens in a training, on the thread that trains and between its steps. What a
 * method throws ends the training, once the other listeners were told, too, and the state is saved.
 */
public interface TrainingListener {
  /**
   * Training continues from a checkpoint; told before {@link #onStart}.
   *
   * @param stepsDone so far
   * @param sinceBest evaluations so far after the best one; 0 if that was the last, or there was
   *     none
   */
  default void onResume(long stepsDone, int sinceBest) {}

  /**
   * Training begins or continues.
   *
   * @param firstStep that will be done: greater than 0 if it continues from a checkpoint. Whatever
   *     was told of this step and later ones before will be told again
   * @param steps of the whole training
   */
  default void onStart(long firstStep, long steps) {}

  /**
   * A step was done with its batches; told before {@link #onStep}.
   *
   * @param soFar how these and those before them came, in this process
   */
  default void onBatches(Loading soFar) {}

  /**
   * A step was done.
   *
   * @param loss its step, terms and total; the tensor is released afterwards
   * @param learningRate of this step
   */
  default void onStep(StepLoss loss, double learningRate) {}

  /**
   * Something is probably not meant, such as a term that is 0 step after step; logged, too.
   *
   * @param sentence what, with the reason
   */
  default void onWarning(String sentence) {}

  /**
   * The student was evaluated, and has the weights that were.
   *
   * @param stepsDone so far
   * @param score what it is worth
   * @param sinceBest evaluations after the best one, by the leading number: 0 if this is the best
   */
  default void onEvaluation(long stepsDone, Score score, int sinceBest) {}

  /**
   * A checkpoint is whole on the disk.
   *
   * @param stepsDone so far
   * @param file where
   */
  default void onCheckpoint(long stepsDone, Path file) {}

  /**
   * Training ended by an exception or an Error, which {@code Distiller.train} throws next. Where
   * there is a checkpoint file and the state between two steps is whole, it was saved before. Told
   * in place of {@link #onEnd}, to all listeners, even if {@link #onStart} did not reach them.
   *
   * @param stepsDone so far
   * @param cause what ended it
   */
  default void onFailure(long stepsDone, Throwable cause) {}

  /**
   * Training is over, or was stopped.
   *
   * @param outcome how it ended
   */
  default void onEnd(TrainingOutcome outcome) {}
}
