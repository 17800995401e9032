package org.structkd.data;

import java.io.IOException;

/** Where the ratings of {@link RatedItems} come from. */
public enum RatingSource {
  /** {@link MadeRatings} of 400 users, 240 items and 8 tastes, with the splits that these have. */
  MADE,

  /** Ratings of movies, which {@code ./structkd data movielens} fetches. */
  MOVIELENS,

  /** Ratings of lecturers by students, which {@code ./structkd data insteval} fetches. */
  INSTEVAL;

  RatedItems load(RatedItems.Config config) throws IOException {
    return switch (this) {
      case MADE -> RatedItems.of(new MadeRatings(400, 240, 8), config);
      case MOVIELENS -> fetched(PackagedRatings.MOVIELENS, config);
      case INSTEVAL -> fetched(PackagedRatings.INSTEVAL, config);
    };
  }

  private static RatedItems fetched(PackagedData data, RatedItems.Config config)
      throws IOException {
    return RatedItems.of(DataCache.ofUser().require(data).resolve(PackagedRatings.FILE), config);
  }
}
