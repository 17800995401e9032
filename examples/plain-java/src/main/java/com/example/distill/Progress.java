package com.example.distill;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tells how far a training is: a bar on a terminal, a line at intervals elsewhere. */
final class Progress {
  private static final int BAR = 24;
  private static final int LINES = 10;
  private static final long REDRAW_NANOS = 200_000_000L;

  /** Asked of the system: what Java's Console says differs between its versions. */
  private static final boolean TERMINAL = isTerminal();

  private final int steps;
  private final long start = System.nanoTime();
  private long lastDrawn = start;

  Progress(int steps) {
    this.steps = steps;
  }

  /**
   * True if someone should be told after this step, counted from 1: then {@code losses} is read.
   */
  boolean isDue(int step) {
    return step == steps
        || isLine(step)
        || (TERMINAL && System.nanoTime() - lastDrawn > REDRAW_NANOS);
  }

  /** Reports the step, with the losses of this step as text. */
  void report(int step, String losses) {
    lastDrawn = System.nanoTime();
    double seconds = (lastDrawn - start) / 1e9;
    double rate = step / seconds;
    String state =
        String.format(
            "%5d/%d  %6.1f steps/s  %4.0f s left  ", step, steps, rate, (steps - step) / rate);
    String clear = TERMINAL ? "\r\033[K" : "";
    if (isLine(step)) {
      System.out.println(clear + "  " + state + losses);
    } else {
      System.out.print(clear + "  " + bar(step) + state);
    }
    System.out.flush();
  }

  private boolean isLine(int step) {
    int interval = (steps + LINES - 1) / LINES;
    return step == steps || step % interval == 0 && steps - step >= interval;
  }

  private String bar(int step) {
    int filled = (int) ((long) BAR * step / steps);
    return "[" + "#".repeat(filled) + ".".repeat(BAR - filled) + "]";
  }

  private static boolean isTerminal() {
    try {
      Path out = Files.readSymbolicLink(Path.of("/proc/self/fd/1"));
      return out.startsWith("/dev/pts") || out.toString().startsWith("/dev/tty");
    } catch (IOException e) {
      return false;
    }
  }
}
