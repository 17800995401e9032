package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.RatedItems;
import org.structkd.data.RatingSource;
import org.structkd.internal.Words;

/**
 * {@code {kind: rated_items}}: ratings by user, see {@link RatedItems}.
 *
 * @param source of the ratings, where there is no file
 * @param batch users per training step, 1 or more
 * @param rated items of each that the user rated, 1 or more
 * @param unrated items of each that the user did not rate, 0 or more
 * @param file of ratings, lines of user, item, rating; null: those of the source; else the source
 *     is left as it is
 */
record RatedItemsSettings(
    RatingSource source, int batch, int rated, int unrated, @Nullable Path file)
    implements DataSettings {
  /** Checks the numbers. */
  RatedItemsSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    if (file != null && source != RatingSource.MADE) {
      throw new IllegalArgumentException(
          "file and source are both given, expected one: a file, or the source %s"
              .formatted(Words.of(source)));
    }
    new RatedItems.Config(rated, unrated);
  }

  /** Batches of 32 users with 8 items that each rated and 8 others, of made ratings. */
  public RatedItemsSettings() {
    this(RatingSource.MADE, 32, 8, 8, null);
  }

  @Override
  public Dataset load() throws IOException {
    RatedItems.Config config = new RatedItems.Config(rated, unrated);
    return file == null ? RatedItems.of(source, config) : RatedItems.of(file, config);
  }
}
