package org.structkd.run;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.structkd.metric.Score;

/** What networks are worth, side by side: one row each, a column for each number of a score. */
final class ScoreTable {
  private final List<String> headings = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>();

  /**
   * An empty table.
   *
   * @param kind a score of the kind that all rows have
   */
  ScoreTable(Score kind) {
    headings.add("");
    headings.add("parameters");
    kind.numbers().forEach(number -> headings.add(title(number)));
    headings.add("ms per step");
  }

  /** A number's title with its unit, if it has one. */
  static String title(Score.Number number) {
    return number.title() + (number.unit().isEmpty() ? "" : " [" + number.unit() + "]");
  }

  /**
   * Adds networks that differ in their seed alone.
   *
   * @param parameters empty where the network does not tell
   * @param scores one or more
   * @param millisPerStep NaN where they were not trained here
   */
  void add(String name, OptionalLong parameters, List<Score> scores, double millisPerStep) {
    List<String> row = new ArrayList<>();
    row.add(name);
    row.add(parameters.isPresent() ? "%,d".formatted(parameters.getAsLong()) : "");
    for (int i = 0; i < headings.size() - 3; i++) {
      row.add(summary(scores, i).toString());
    }
    row.add(Double.isNaN(millisPerStep) ? "" : "%.1f".formatted(millisPerStep));
    rows.add(row);
  }

  /** One number of each score. */
  static Summary summary(List<Score> scores, int number) {
    return new Summary(
        scores.stream().mapToDouble(score -> score.numbers().get(number).value()).toArray());
  }

  List<String> headings() {
    return headings;
  }

  List<List<String>> rows() {
    return rows;
  }

  /** {@return the table as text in columns, the first one flush left} */
  @Override
  public String toString() {
    return Columns.of(headings, rows);
  }
}
