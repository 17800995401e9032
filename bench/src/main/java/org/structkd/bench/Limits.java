package org.structkd.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What the machine does at most, measured.
 *
 * @param f32PerSecond floating-point operations of multiply-adds in f32
 * @param f64PerSecond the same in f64
 * @param bytesPerSecond of a stream of two reads and one write
 */
record Limits(double f32PerSecond, double f64PerSecond, double bytesPerSecond) {
  /** Environment: the program of bench/cpu, set by the launcher. */
  private static final String PROGRAM = "STRUCTKD_BENCH_LIMITS";

  /** Another measurement that differs by more says that the machine was not steady. */
  private static final double STEADY = 0.1;

  /** Nothing was measured: every share of a limit is NaN. */
  static Limits unknown() {
    return new Limits(Double.NaN, Double.NaN, Double.NaN);
  }

  /**
   * Runs the program, about 2 s.
   *
   * @throws IOException if it cannot run
   */
  static Limits measure() throws IOException {
    String program = System.getenv(PROGRAM);
    if (program == null || !Files.isExecutable(Path.of(program))) {
      throw new IOException(
          PROGRAM + " is " + program + ", expected the program that measures the machine's limits");
    }
    Process process =
        new ProcessBuilder(program).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    Map<String, String> found = new HashMap<>();
    text.lines()
        .map(line -> line.split(" ", 2))
        .filter(words -> words.length == 2)
        .forEach(words -> found.put(words[0], words[1]));
    try {
      return new Limits(
          1e9 * Double.parseDouble(found.get("f32_gflops")),
          1e9 * Double.parseDouble(found.get("f64_gflops")),
          1e9 * Double.parseDouble(found.get("stream_gbytes")));
    } catch (NumberFormatException | NullPointerException e) {
      throw new IOException(program + " printed no limits: " + text, e);
    }
  }

  /** The higher of two measurements, so that the lower share of the limit is reported. */
  Limits atLeast(Limits other) {
    return new Limits(
        Math.max(f32PerSecond, other.f32PerSecond),
        Math.max(f64PerSecond, other.f64PerSecond),
        Math.max(bytesPerSecond, other.bytesPerSecond));
  }

  /** Whether two measurements agree. */
  boolean isCloseTo(Limits other) {
    return close(f32PerSecond, other.f32PerSecond)
        && close(f64PerSecond, other.f64PerSecond)
        && close(bytesPerSecond, other.bytesPerSecond);
  }

  private static boolean close(double a, double b) {
    return Math.abs(a - b) <= STEADY * Math.max(a, b);
  }

  @Override
  public String toString() {
    if (Double.isNaN(f32PerSecond)) {
      return "not measured";
    }
    return String.format(
        Locale.ROOT,
        "f32 %.0f GFLOP/s, f64 %.0f GFLOP/s, stream %.1f GB/s",
        1e-9 * f32PerSecond,
        1e-9 * f64PerSecond,
        1e-9 * bytesPerSecond);
  }
}
