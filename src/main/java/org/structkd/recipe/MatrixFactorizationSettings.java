package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.RatingData;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: matrix_factorization}}: a {@link MatrixFactorization} for the data's users and
 * items.
 *
 * @param rank factors, 1 or more
 */
record MatrixFactorizationSettings(int rank) implements StudentSettings {
  /** Checks the rank. */
  MatrixFactorizationSettings {
    new MatrixFactorization.Config(1, 1, rank);
  }

  /**
   * Refuses a network that was trained on other ratings: its rows would be those of others.
   *
   * @param part of the recipe that the network is: teacher or student
   * @throws IllegalArgumentException if it is a matrix factorization of other users or items
   */
  static void requireOf(Dataset data, String part, TappedNetwork network) {
    if (network instanceof MatrixFactorization factors && data instanceof RatingData ratings) {
      MatrixFactorization.Config rows = factors.config();
      if (rows.users() != ratings.users() || rows.items() != ratings.items()) {
        throw new IllegalArgumentException(
            "%s has %d users and %d items, expected %d and %d as the data: it was trained on others"
                .formatted(part, rows.users(), rows.items(), ratings.users(), ratings.items()));
      }
    }
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    if (!(data instanceof RatingData ratings)) {
      throw new IllegalArgumentException("student: a matrix factorization needs data of ratings");
    }
    return new MatrixFactorization(
        new MatrixFactorization.Config(ratings.users(), ratings.items(), rank), seed);
  }
}
