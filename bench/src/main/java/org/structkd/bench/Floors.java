package org.structkd.bench;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.structkd.bench.cases.ListedLoss;

/**
 * The least ratios to eager, "floor" in bench/cases.json, below which a change counts as slower.
 */
final class Floors {
  private final PrintWriter out;
  private int below;
  private int checked;

  Floors(PrintWriter out) {
    this.out = out;
  }

  /** Compares and says what is below; returns how many were. Gaps are skipped, and said. */
  int check(List<Figure> figures) {
    out.println();
    for (Figure ours : figures) {
      if (ours.provider().equals("structkd") && ours.mode().equals(Pass.FULL.id)) {
        check(ours, figures);
      }
    }
    out.printf("gate: %d of %d ratios below their floor%n", below, checked);
    return below;
  }

  private void check(Figure ours, List<Figure> figures) {
    double floor = floorOf(ours);
    Figure eager = eagerBeside(ours, figures);
    if (floor == 0 || eager == null) {
      return;
    }
    if (eager.isGap() || ours.isGap()) {
      String note = eager.isGap() ? eager.note() : ours.note();
      out.printf("gate: %s %s skipped, %s%n", ours.loss(), ours.shape(), note);
      return;
    }
    checked++;
    double ratio = eager.p50() / ours.p50();
    if (!(ratio >= floor)) {
      below++;
      out.printf(
          Locale.ROOT,
          "gate: %s %s is %.2f times as fast as eager, expected at least %.2f%n",
          ours.loss(),
          ours.shape(),
          ratio,
          floor);
    }
  }

  private static double floorOf(Figure figure) {
    return figure.loss().listed().cpu().cases().stream()
        .filter(each -> each.name().equals(figure.shape()))
        .mapToDouble(ListedLoss.Case::floor)
        .findFirst()
        .orElse(0);
  }

  private static Figure eagerBeside(Figure ours, List<Figure> figures) {
    return figures.stream()
        .filter(
            figure ->
                figure.loss().equals(ours.loss())
                    && figure.shape().equals(ours.shape())
                    && figure.mode().equals(ours.mode())
                    && figure.provider().equals("eager"))
        .findFirst()
        .orElse(null);
  }
}
