package org.structkd.bench;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
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
  void append(Machine machine, List<CsvRow> rows) throws IOException {
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
}
