package org.structkd.train;

/**
 * Ends a training whose evaluations get no better, by the leading number of their scores. Such a
 * training is complete; asked to continue, it ends at once.
 *
 * @param patience evaluations in a row that may be no better than the best before, 1 or more
 */
public record EarlyStop(int patience) {
  /** Checks the number. */
  public EarlyStop {
    if (patience < 1) {
      throw new IllegalArgumentException(
          "patience is " + patience + ", expected 1 or more evaluations");
    }
  }
}
