package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The least ratios to eager below which a change counts as slower: bench/floors.csv. */
final class Floors {
  private static final String HEADER = "kernel,shape,least_ratio";

  private record Floor(String loss, String shape, double ratio) {}

  private final List<Floor> floors = new ArrayList<>();

  private Floors() {}

  /** Reads a file of floors; lines with # are comments. */
  static Floors read(Path file) throws IOException {
    Floors floors = new Floors();
    List<String> lines =
        Files.readAllLines(file).stream()
            .filter(line -> !line.isBlank() && !line.startsWith("#"))
            .toList();
    if (lines.isEmpty() || !lines.get(0).equals(HEADER)) {
      throw new IOException(file + " does not begin with " + HEADER);
    }
    for (String line : lines.subList(1, lines.size())) {
      String[] fields = line.split(",");
      try {
        floors.floors.add(new Floor(fields[0], fields[1], Double.parseDouble(fields[2])));
      } catch (IndexOutOfBoundsException | NumberFormatException e) {
        throw new IOException(file + " has the line \"" + line + "\", expected " + HEADER, e);
      }
    }
    return floors;
  }

  /** Compares and says what is below; returns how many were. Gaps are skipped, and said. */
  int check(List<Figure> figures, PrintWriter out) {
    int below = 0;
    int checked = 0;
    out.println();
    for (Floor floor : floors) {
      Figure eager = find(figures, floor, "eager");
      Figure ours = find(figures, floor, "structkd");
      if (eager == null || ours == null) {
        continue; // not in this run
      }
      if (eager.isGap() || ours.isGap()) {
        out.printf(
            "gate: %s %s skipped, %s%n",
            floor.loss, floor.shape, eager.isGap() ? eager.note() : ours.note());
        continue;
      }
      checked++;
      double ratio = eager.p50() / ours.p50();
      if (!(ratio >= floor.ratio)) {
        below++;
        out.printf(
            Locale.ROOT,
            "gate: %s %s is %.2f times as fast as eager, expected at least %.2f%n",
            floor.loss,
            floor.shape,
            ratio,
            floor.ratio);
      }
    }
    out.printf("gate: %d of %d ratios below their floor%n", below, checked);
    return below;
  }

  private static Figure find(List<Figure> figures, Floor floor, String provider) {
    return figures.stream()
        .filter(
            figure ->
                figure.loss().id.equals(floor.loss)
                    && figure.shape().equals(floor.shape)
                    && figure.provider().equals(provider)
                    && figure.mode().equals(Pass.FULL.id))
        .findFirst()
        .orElse(null);
  }
}
