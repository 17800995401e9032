package org.structkd.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.util.Version;
import org.structkd.bench.report.CsvRow;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/**
 * Where and with what the figures were taken.
 *
 * @param device processor, cores and instruction set of our kernels
 * @param threads of LibTorch, which both sides use
 * @param version of structkd, with the commit of the checkout
 * @param libraries what else takes part
 * @param environment variables that change the speed of either side
 * @param load average of running programs in the minute before
 * @param time of the start, UTC
 * @param limits what it does at most
 */
record Machine(
    String device,
    int threads,
    String version,
    String libraries,
    String environment,
    double load,
    Instant time,
    Limits limits) {
  /** Names that OpenMP, LibTorch's BLAS, malloc and our dispatch read. */
  private static final List<String> VARIABLES =
      List.of(
          "OMP_NUM_THREADS",
          "OPENBLAS_NUM_THREADS",
          "MKL_NUM_THREADS",
          "OMP_WAIT_POLICY",
          "GOMP_SPINCOUNT",
          "OPENBLAS_CORETYPE",
          "LD_PRELOAD",
          "MALLOC_ARENA_MAX",
          "MALLOC_MMAP_THRESHOLD_",
          "MALLOC_TRIM_THRESHOLD_",
          "STRUCTKD_ISA");

  static Machine current() {
    int cores = Runtime.getRuntime().availableProcessors();
    return new Machine(
        "%s, %d cores, %s"
            .formatted(
                processor(), cores, NativeCall.of(() -> NativeOps.backendDescription("cpu"))),
        torch.get_num_threads(),
        NativeCall.of(NativeOps::version) + "+" + commit(),
        "pytorch presets %s, Java %s, JMH %s, %s %s"
            .formatted(
                presets(),
                Runtime.version(),
                Version.getPlainVersion(),
                System.getProperty("os.name"),
                System.getProperty("os.version")),
        environmentText(),
        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
        Instant.now().truncatedTo(ChronoUnit.SECONDS),
        Limits.unknown());
  }

  /** The same with another device, on which the figures are taken. */
  Machine withDevice(String other) {
    return new Machine(other, threads, version, libraries, environment, load, time, limits);
  }

  Machine withLimits(Limits measured) {
    return new Machine(device, threads, version, libraries, environment, load, time, measured);
  }

  /** A few lines for people. */
  List<String> lines() {
    return List.of(
        device + ", " + threads + " threads",
        "structkd " + version + ", " + libraries,
        environment,
        "limits: " + limits,
        "%s, load average before %.2f".formatted(time, load));
  }

  /**
   * A row of the CSV for a figure that was taken here.
   *
   * @param note further words for the configuration
   */
  CsvRow row(
      String kernel,
      String provider,
      String mode,
      String metric,
      String xName,
      long x,
      double p50,
      double p20,
      double p80,
      String shape,
      String dtype,
      String note) {
    String config =
        "shape=%s dtype=%s threads=%d %s %s"
            .formatted(shape, dtype, threads, environment, note)
            .strip();
    return new CsvRow(
        kernel,
        provider,
        mode,
        metric,
        xName,
        x,
        p50,
        p20,
        p80,
        config,
        device,
        time.toString(),
        version);
  }

  private static String presets() {
    try {
      return Loader.getVersion("org.bytedeco", "pytorch");
    } catch (IOException e) {
      return "of unknown version";
    }
  }

  private static String processor() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
        if (line.startsWith("model name")) {
          return line.substring(line.indexOf(':') + 1).strip();
        }
      }
    } catch (IOException e) {
      return System.getProperty("os.arch"); // not Linux
    }
    return System.getProperty("os.arch");
  }

  private static String environmentText() {
    StringBuilder text = new StringBuilder();
    for (String name : VARIABLES) {
      String value = System.getenv(name);
      if (value != null) {
        text.append(name).append('=').append(value).append(' ');
      }
    }
    String removed = System.getenv("STRUCTKD_BENCH_UNSET"); // by the launcher
    if (removed != null && !removed.isEmpty()) {
      text.append("(unset for this run: ").append(removed).append(')');
    }
    return text.isEmpty() ? "no tuning variables" : text.toString().strip();
  }

  /** That is told, as for a copy of a checkout; else that of the checkout, if there is one. */
  private static String commit() {
    String told = System.getenv("STRUCTKD_COMMIT");
    if (told != null && !told.isEmpty()) {
      return told;
    }
    String head = git("rev-parse", "--short=10", "HEAD");
    if (head.isEmpty()) {
      return "unknown";
    }
    // The results of a run before are no change of what is measured.
    return git("status", "--porcelain", "--untracked-files=no", ":/", ":/!bench/results").isEmpty()
        ? head
        : head + ".changed";
  }

  /** What git prints; nothing outside a checkout and where there is no git. */
  private static String git(String... arguments) {
    try {
      ProcessBuilder command = new ProcessBuilder("git");
      command.command().addAll(List.of(arguments));
      Process process = command.redirectError(ProcessBuilder.Redirect.DISCARD).start();
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
