package org.structkd.data;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Ratings that packages of R hold; what is kept of them is a file for {@link RatingsFile}. */
final class PackagedRatings {
  /** The file in the folder of each data set. */
  static final String FILE = "ratings.csv";

  private static final String DSLABS = "usr/lib/R/site-library/dslabs/data/Rdata";
  private static final String LME4 = "usr/lib/R/site-library/lme4/data/Rdata";

  /** Sums of the files in r-cran-dslabs 0.7.4-1 of Debian 12. */
  static final PackagedData MOVIELENS =
      new PackagedData(
          "movielens",
          "100,004 ratings from 0.5 to 5 stars by 671 users of 9,066 movies (MovieLens latest-small"
              + " of 2016), for recommenders.",
          "Artistic-2.0 as a package; of the ratings GroupLens says: redistribution, changed or"
              + " not, under the same conditions, no commercial use without permission, and cite F."
              + " M. Harper, J. A. Konstan, \"The MovieLens Datasets: History and Context\", ACM"
              + " TiiS 5(4), 2015.",
          "r-cran-dslabs",
          "4.7 MB",
          List.of(
              new PackagedData.Item(
                  DSLABS + ".rdb",
                  "7f740c8802abcf5de56096417560b2d5be317c59f30d50c9d37548695952aa3b"),
              new PackagedData.Item(
                  DSLABS + ".rdx",
                  "97e59cc21906407fe85a369cd92a765ea050e69346d4043545471972bd02a6b3")),
          (root, into) ->
              convert(
                  root.resolve(DSLABS),
                  "movielens",
                  List.of("userId", "movieId", "rating", "timestamp"),
                  into));

  /** Sums of the files in r-cran-lme4 1.1-31-1 of Debian 12. */
  static final PackagedData INSTEVAL =
      new PackagedData(
          "insteval",
          "73,421 ratings from 1 to 5 by 2,972 students of 1,128 lecturers (ETH Zurich), for"
              + " recommenders.",
          "GPL-2 or later, as the package lme4.",
          "r-cran-lme4",
          "4.1 MB",
          List.of(
              new PackagedData.Item(
                  LME4 + ".rdb",
                  "38cfe23eb8db59a0e3e43f892368827687b0a3394ec850d1a453bee60f060afd"),
              new PackagedData.Item(
                  LME4 + ".rdx",
                  "a31c9a1e768809cdf64b212a72111765611c676137b18ed7475a45fb04d2d396")),
          (root, into) -> convert(root.resolve(LME4), "InstEval", List.of("s", "d", "y"), into));

  private PackagedRatings() {}

  /**
   * Writes ratings as text.
   *
   * @param columns of users, items and ratings, and of times where there are any
   */
  static void convert(Path base, String object, List<String> columns, Path into)
      throws IOException {
    Map<String, RValue> frame = RDatabase.frame(base, object);
    String source = base + ".rdb (" + object + ")";
    List<String> users = names(frame, columns.get(0), source);
    List<String> items = names(frame, columns.get(1), source);
    double[] ratings = numbers(frame, columns.get(2), source);
    double @Nullable [] times = columns.size() == 3 ? null : numbers(frame, columns.get(3), source);
    try (BufferedWriter file = Files.newBufferedWriter(into.resolve(FILE))) {
      file.write("user,item,rating" + (times == null ? "\n" : ",timestamp\n"));
      for (int row = 0; row < ratings.length; row++) {
        file.write(users.get(row) + "," + items.get(row) + "," + ratings[row]);
        file.write(times == null ? "\n" : "," + (long) times[row] + "\n");
      }
    }
  }

  private static List<String> names(Map<String, RValue> frame, String name, String source)
      throws DataFileException {
    RValue column = RDatabase.column(frame, name, source);
    List<String> names = column.names();
    if (names == null) {
      throw new DataFileException(
          source, "\"" + name + "\" to be whole numbers, strings or a factor", column.kind());
    }
    return names;
  }

  private static double[] numbers(Map<String, RValue> frame, String name, String source)
      throws DataFileException {
    RValue column = RDatabase.column(frame, name, source);
    double[] numbers = column.numbers();
    if (numbers == null) {
      throw new DataFileException(source, "\"" + name + "\" to be numbers", column.kind());
    }
    return numbers;
  }
}
