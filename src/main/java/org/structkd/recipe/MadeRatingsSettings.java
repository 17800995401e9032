package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.data.MadeRatings;

/**
 * {@code {kind: made_ratings}}: stars that users gave items, by a formula, see {@link MadeRatings}.
 *
 * @param batch ratings per training step, 1 or more
 * @param users 10 to {@link MadeRatings#MAX_SIZE}
 * @param items 10 to {@link MadeRatings#MAX_SIZE}
 * @param tastes hidden factors, 1 or more
 */
record MadeRatingsSettings(int batch, int users, int items, int tastes) implements DataSettings {
  /** Checks the batch; the data check the rest. */
  MadeRatingsSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
  }

  /** Batches of 256 ratings; 400 users and 240 items, of 8 tastes. */
  public MadeRatingsSettings() {
    this(256, 400, 240, 8);
  }

  @Override
  public Dataset load() {
    return new MadeRatings(users, items, tastes);
  }
}
