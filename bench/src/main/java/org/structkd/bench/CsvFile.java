package org.structkd.bench;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.structkd.bench.report.CsvRow;

/**
 * Results of many runs in one file, in the columns of Liger-Kernel's benchmarks. Lines that begin
 * with # say where the rows below them were taken.
 */
record CsvFile(Path path) {
  private static final String HEADER =
      "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,"
          + "config,device,timestamp,version";

  /** Tells before anything is measured what would keep the results from being written. */
  void requireWritable() throws IOException {
    Path folder = path.toAbsolutePath().getParent();
    if (Files.isDirectory(path)) {
      throw new IOException(path + " is a folder, expected a file");
    }
    if (!Files.isDirectory(folder) || !Files.isWritable(folder)) {
      throw new IOException("cannot write into the folder " + folder);
    }
    if (Files.exists(path) && !linesOfFile().contains(HEADER)) {
      throw new IOException(path + " is not empty and has other columns");
    }
  }

  /** Adds a run. A reader sees the file before or after, never in between. */
  void append(Machine machine, List<Figure> figures) throws IOException {
    List<String> lines = linesOfFile();
    if (lines.isEmpty()) {
      lines.add(HEADER);
    }
    machine.lines().forEach(line -> lines.add("# " + line));
    for (Figure figure : figures) {
      addRows(figure, machine, lines);
    }
    write(lines);
  }

  /** Adds rows of a run, such as those of {@link CostRun}. */
  void appendRows(Machine machine, List<CsvRow> rows) throws IOException {
    List<String> lines = linesOfFile();
    if (lines.isEmpty()) {
      lines.add(HEADER);
    }
    machine.lines().forEach(line -> lines.add("# " + line));
    rows.forEach(row -> lines.add(row.line()));
    write(lines);
  }

  private void write(List<String> lines) throws IOException {
    Path target = path.toAbsolutePath();
    Path written = Files.createTempFile(target.getParent(), target.getFileName() + ".", ".tmp");
    try {
      Files.write(written, lines);
      try (FileChannel file = FileChannel.open(written, StandardOpenOption.WRITE)) {
        file.force(true);
      }
      Files.move(written, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(written);
    }
  }

  private List<String> linesOfFile() throws IOException {
    return Files.exists(path) ? new ArrayList<>(Files.readAllLines(path)) : new ArrayList<>();
  }

  private static void addRows(Figure figure, Machine machine, List<String> lines) {
    lines.add(row(figure, "speed_ms", figure.p50(), figure.p20(), figure.p80(), machine));
    if (figure.isGap()) {
      return;
    }
    add(figure, "peak_memory_mib", figure.peakMebibytes(), machine, lines);
    add(figure, "value_error", figure.errors().value(), machine, lines);
    if (!figure.mode().equals(Pass.FORWARD.id)) {
      add(figure, "gradient_error", figure.errors().gradient(), machine, lines);
    }
    add(figure, "gflops", figure.gflops(), machine, lines);
    add(figure, "gbytes_per_s", figure.gigabytesPerSecond(), machine, lines);
    add(figure, "percent_of_limit", figure.percentOf(machine.limits()), machine, lines);
  }

  private static void add(
      Figure figure, String metric, double value, Machine machine, List<String> lines) {
    if (!Double.isNaN(value)) {
      lines.add(row(figure, metric, value, value, value, machine));
    }
  }

  private static String row(
      Figure figure, String metric, double p50, double p20, double p80, Machine machine) {
    Loss loss = figure.loss();
    return String.join(
        ",",
        loss.id,
        figure.provider(),
        figure.mode(),
        metric,
        loss.xName,
        Long.toString(loss.x.applyAsLong(CaseShape.parse(figure.shape()))),
        number(p50),
        number(p20),
        number(p80),
        quoted(
            "shape=%s dtype=f32 threads=%d %s %s"
                .formatted(figure.shape(), machine.threads(), machine.environment(), figure.note())
                .strip()),
        quoted(machine.device()),
        machine.time().toString(),
        machine.version());
  }

  private static String quoted(String text) {
    return '"' + text.replace("\"", "\"\"") + '"';
  }

  private static String number(double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.5g", value);
  }
}
