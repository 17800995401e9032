package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.RatingData;
import org.structkd.model.MatrixFactorization;
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

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    if (!(data instanceof RatingData ratings)) {
      throw new IllegalArgumentException("student: a matrix factorization needs data of ratings");
    }
    return new MatrixFactorization(
        new MatrixFactorization.Config(ratings.users(), ratings.items(), rank), seed);
  }
}
