package org.structkd.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One row of the CSV: one metric of one provider at one size. The columns are those of
 * Liger-Kernel's benchmarks; bench/README.md says what they hold.
 *
 * @param p50 median; NaN in a gap, as are p20 and p80
 */
public record CsvRow(
    String kernel,
    String provider,
    String mode,
    String metric,
    String xName,
    long x,
    double p50,
    double p20,
    double p80,
    String config,
    String device,
    String timestamp,
    String version) {
  private static final int COLUMNS = 13;
  private static final Pattern SHAPE = Pattern.compile("\\bshape=(\\S+)");
  private static final Pattern REASON = Pattern.compile("\\bgap=\"([^\"]*)\"");

  /**
   * Reads a line.
   *
   * @throws IllegalArgumentException if it is no row
   */
  static CsvRow parse(String line) {
    List<String> fields = fields(line);
    if (fields.size() != COLUMNS) {
      throw new IllegalArgumentException(fields.size() + " columns, expected " + COLUMNS);
    }
    return new CsvRow(
        fields.get(0),
        fields.get(1),
        fields.get(2),
        fields.get(3),
        fields.get(4),
        Long.parseLong(fields.get(5)),
        number(fields.get(6)),
        number(fields.get(7)),
        number(fields.get(8)),
        fields.get(9),
        fields.get(10),
        fields.get(11),
        fields.get(12));
  }

  /** The line of a file; {@link #parse} reads it. */
  public String line() {
    return String.join(
        ",",
        kernel,
        provider,
        mode,
        metric,
        xName,
        Long.toString(x),
        text(p50),
        text(p20),
        text(p80),
        quoted(config),
        quoted(device),
        timestamp,
        version);
  }

  private static String text(double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.5g", value);
  }

  private static String quoted(String text) {
    return '"' + text.replace("\"", "\"\"") + '"';
  }

  /** Size and kind of the inputs, such as 1x512x64x64-aligned. */
  String shape() {
    Matcher matcher = SHAPE.matcher(config);
    return matcher.find() ? matcher.group(1) : xName + "=" + x;
  }

  /** Why a gap has no figure. */
  String reason() {
    Matcher matcher = REASON.matcher(config);
    return matcher.find() ? matcher.group(1) : "not measured";
  }

  private static double number(String text) {
    return text.isEmpty() ? Double.NaN : Double.parseDouble(text);
  }

  /** Cut at commas outside of quotes; a doubled quote inside of them is one. */
  private static List<String> fields(String line) {
    List<String> fields = new ArrayList<>();
    StringBuilder field = new StringBuilder();
    boolean quoted = false;
    for (int i = 0; i < line.length(); i++) {
      char c = line.charAt(i);
      if (c == '"' && quoted && i + 1 < line.length() && line.charAt(i + 1) == '"') {
        field.append('"');
        i++;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        fields.add(field.toString());
        field.setLength(0);
      } else {
        field.append(c);
      }
    }
    fields.add(field.toString());
    return fields;
  }
}
