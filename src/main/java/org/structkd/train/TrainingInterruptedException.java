package org.structkd.train;

/**
 * The thread that trains was interrupted, as by {@code Future.cancel(true)}: the training ended
 * between two steps. Its state is saved where there is a checkpoint file, and the thread's
 * interrupt flag is set.
 */
public final class TrainingInterruptedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  TrainingInterruptedException(String where) {
    super("training was interrupted " + where);
  }
}
