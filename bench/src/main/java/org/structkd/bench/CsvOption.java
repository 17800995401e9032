package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.structkd.bench.report.CsvRow;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Where a command stores its figures, if anywhere. */
final class CsvOption {
  @Spec(Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--csv",
      paramLabel = "F",
      description = "Append the figures to this file; a relative name starts at the checkout.")
  private Path path;

  /** Tells before anything is measured what would keep the results from being written. */
  void requireWritable() {
    if (path == null) {
      return;
    }
    try {
      new CsvFile(path).requireWritable();
    } catch (IOException e) {
      throw new ParameterException(spec.commandLine(), "--csv: " + e.getMessage());
    }
  }

  /** Adds a run to the file, if there is one. */
  void append(Machine machine, List<CsvRow> rows, PrintWriter out) throws IOException {
    if (path != null && !rows.isEmpty()) {
      new CsvFile(path).append(machine, rows);
      out.println();
      out.println("Appended to " + path);
    }
  }
}
