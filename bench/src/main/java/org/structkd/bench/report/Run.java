package org.structkd.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The rows that one run of the bench appended.
 *
 * @param notes the lines with # above its rows: machine, versions, environment
 */
record Run(String device, String timestamp, List<String> notes, List<CsvRow> rows) {
  /** Files of other reports: GPUs are docs/gpu.md's, and quick runs are for daily use. */
  private static final List<String> OTHERS = List.of("h100-", "h200-", "quick-");

  /** All runs in the CSV files of a folder, in the order of names. */
  static List<Run> readFolder(Path folder) throws IOException {
    List<Path> files;
    try (var listed = Files.list(folder)) {
      files = listed.filter(Run::isOurs).sorted().toList();
    }
    List<Run> runs = new ArrayList<>();
    for (Path file : files) {
      runs.addAll(read(file));
    }
    return runs;
  }

  private static boolean isOurs(Path file) {
    String name = file.getFileName().toString();
    return name.endsWith(".csv") && OTHERS.stream().noneMatch(name::startsWith);
  }

  private static List<Run> read(Path file) throws IOException {
    Map<String, Run> runs = new TreeMap<>();
    List<String> notes = new ArrayList<>();
    boolean inRows = false;
    int number = 0;
    for (String line : Files.readAllLines(file)) {
      number++;
      if (line.startsWith("#")) {
        if (inRows) {
          notes = new ArrayList<>();
          inRows = false;
        }
        notes.add(line.substring(1).strip());
      } else if (!line.isBlank() && !line.startsWith("kernel,provider,")) {
        inRows = true;
        CsvRow row = parse(file, number, line);
        List<String> above = notes;
        runs.computeIfAbsent(
                row.timestamp() + " " + row.device(),
                key -> new Run(row.device(), row.timestamp(), above, new ArrayList<>()))
            .rows()
            .add(row);
      }
    }
    return List.copyOf(runs.values());
  }

  private static CsvRow parse(Path file, int number, String line) throws IOException {
    try {
      return CsvRow.parse(line);
    } catch (IllegalArgumentException e) {
      throw new IOException(file + ", line " + number + ": " + e.getMessage(), e);
    }
  }
}
