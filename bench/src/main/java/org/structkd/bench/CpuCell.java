package org.structkd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * One cell of the table: a provider, at one size, in one pass.
 *
 * @param seconds forecast of a call
 * @param gap why it is not measured; empty if it is
 */
record CpuCell(
    MeasuredLoss loss, String shape, String provider, Pass pass, double seconds, String gap) {
  /** Above, a call happens once, and set-up's check is that call. */
  private static final double ONCE = 10;

  /** Above, few single calls in one JVM instead of a distribution. */
  private static final double SLOW = 2;

  /** Above, one JVM. */
  private static final double LONG = 1;

  /** Seconds until a JVM has loaded LibTorch, made inputs and checked a result of no size. */
  private static final double START = 1.8;

  static CpuCell plan(MeasuredLoss loss, String text, String provider, Pass pass) {
    CaseShape shape = CaseShape.parse(text);
    Effort effort = loss.formulas().effort(provider, shape);
    double share = pass == Pass.FULL ? 1 : 0.4; // a gradient costs the rest
    double seconds = share * effort.seconds();
    return new CpuCell(loss, text, provider, pass, seconds, gap(provider, pass, shape, effort));
  }

  private static String gap(String provider, Pass pass, CaseShape shape, Effort effort) {
    double needed = effort.peak() + 6 * Work.F32 * shape.elements(); // inputs, gradient, truth
    double free = freeBytes();
    if (needed > free) {
      return String.format(
          Locale.ROOT, "would need %.1f GB, %.1f are free", 1e-9 * needed, 1e-9 * free);
    }
    boolean sameAsEager = provider.equals("eager-malloc") || provider.equals("authors");
    if (effort.seconds() > ONCE && (sameAsEager || pass == Pass.FORWARD)) {
      return "a call takes over 10 s: only eager and the best, value and gradient";
    }
    return "";
  }

  /** What programs can get without swapping, less what the JVMs of the bench take. */
  private static double freeBytes() {
    double jvms = 1.5e9;
    try {
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemAvailable:")) {
          return 1024.0 * Long.parseLong(line.replaceAll("\\D", "")) - jvms;
        }
      }
    } catch (IOException e) {
      return Double.POSITIVE_INFINITY; // not Linux
    }
    return Double.POSITIVE_INFINITY;
  }

  boolean isOnce() {
    return seconds > ONCE;
  }

  boolean isSlow() {
    return seconds > SLOW;
  }

  boolean isOurs() {
    return provider.startsWith("structkd");
  }

  /** Three JVMs for what ratios are made of, unless long: one hides the spread between JVMs. */
  private int forks(boolean quick) {
    boolean main = provider.equals("eager") || provider.equals("structkd");
    return quick || seconds > LONG || pass == Pass.FORWARD || !main ? 1 : 3;
  }

  /** Short iterations: many calls of a short cell, at least one of a long one. */
  void schedule(ChainedOptionsBuilder options, boolean quick) {
    options.forks(forks(quick));
    if (isOnce()) {
      options.mode(Mode.SingleShotTime).warmupIterations(0).measurementIterations(1);
    } else if (isSlow()) {
      // Set-up's check has warmed up.
      options.mode(Mode.SingleShotTime).warmupIterations(0).measurementIterations(3);
    } else {
      options
          .mode(Mode.SampleTime)
          .warmupIterations(seconds > LONG ? 1 : 2)
          .warmupTime(TimeValue.milliseconds(150))
          .measurementIterations(3)
          .measurementTime(TimeValue.milliseconds(quick ? 500 : 250));
    }
  }

  /** Forecast of the whole cell in seconds, with its check. */
  double cost(boolean quick) {
    if (!gap.isEmpty()) {
      return 0;
    }
    double checked = isOurs() ? 2 * seconds : seconds;
    double measured =
        isOnce() ? 0 : isSlow() ? 3 * seconds : Math.max(quick ? 1.8 : 1.1, 5 * seconds);
    return forks(quick) * (START + checked + measured);
  }
}
