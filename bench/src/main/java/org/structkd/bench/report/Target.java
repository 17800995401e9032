package org.structkd.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What is asked of the library at one size; NaN where nothing is asked.
 *
 * @param baseline the provider that leastRatio is to
 * @param leastRatio on the machine that targets are written for
 * @param leastPercent of the limit of any machine
 * @param mostMebibytes peak memory of a call
 */
record Target(
    String kernel,
    String shape,
    String baseline,
    double leastRatio,
    double aboutMilliseconds,
    double leastPercent,
    double mostMebibytes) {
  private static final int COLUMNS = 7;

  static List<Target> read(Path file) throws IOException {
    List<Target> targets = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      if (line.isBlank() || line.startsWith("#") || line.startsWith("kernel,")) {
        continue;
      }
      String[] fields = line.split(",", -1);
      if (fields.length != COLUMNS) {
        throw new IOException(
            file + ": " + fields.length + " columns, expected " + COLUMNS + ": " + line);
      }
      targets.add(
          new Target(
              fields[0],
              fields[1],
              fields[2],
              number(fields[3]),
              number(fields[4]),
              number(fields[5]),
              number(fields[6])));
    }
    return targets;
  }

  private static double number(String text) {
    return text.isEmpty() ? Double.NaN : Double.parseDouble(text);
  }
}
