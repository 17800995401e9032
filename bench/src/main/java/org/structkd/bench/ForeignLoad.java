package org.structkd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much of the processors other programs took meanwhile. A load average from before tells
 * nothing about what starts during a case, and one busy neighbour can make a thread pool wait fifty
 * times as long as it works.
 */
final class ForeignLoad {
  private static final double TICKS_PER_SECOND = 100; // USER_HZ, fixed in Linux's interface

  private final double busy = busyTicks();
  private final double own = ownTicks();
  private final long start = System.nanoTime();

  /** Processors in use by others on average since construction; NaN where the system cannot say. */
  double sinceStart() {
    double seconds = (System.nanoTime() - start) / 1e9;
    double foreign = busyTicks() - busy - (ownTicks() - own);
    return Math.max(0, foreign / TICKS_PER_SECOND / seconds); // NaN stays
  }

  /** All but idle time, and that which a hypervisor gave to other machines. */
  private static double busyTicks() {
    try {
      String[] fields = Files.readAllLines(Path.of("/proc/stat")).get(0).trim().split("\\s+");
      // cpu user nice system idle iowait irq softirq steal
      return sum(fields, 1, 2, 3, 6, 7, 8);
    } catch (IOException | RuntimeException e) {
      return Double.NaN;
    }
  }

  /** This process and the JVMs that it started and that have ended. */
  private static double ownTicks() {
    try {
      String stat = Files.readString(Path.of("/proc/self/stat"));
      // The name, in parentheses, may hold spaces; utime is field 14, 11 behind the state.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return sum(fields, 11, 12, 13, 14);
    } catch (IOException | RuntimeException e) {
      return Double.NaN;
    }
  }

  private static double sum(String[] fields, int... indices) {
    double sum = 0;
    for (int i : indices) {
      sum += Long.parseLong(fields[i]);
    }
    return sum;
  }
}
