package org.structkd.bench.report;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.structkd.bench.cases.ListedLoss;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Writes docs/benchmarks.md and its charts. */
@Command(
    name = "report",
    description = {
      "Write docs/benchmarks.md and its charts from the CSV files of bench/results: of each machine"
          + " and kernel the newest run. The same files give the same text."
    },
    sortOptions = false)
public final class ReportCommand implements Callable<Integer> {
  private static final String TEMPLATE = "benchmarks.template.md";
  private static final String PLACE = "{{machines}}";

  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Print this text.")
  private boolean help;

  @Option(
      names = "--results",
      paramLabel = "FOLDER",
      defaultValue = "${sys:structkd.root:-.}/bench/results",
      description = "Where the CSV files are; ${DEFAULT-VALUE} if not given.")
  private Path results;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      defaultValue = "${sys:structkd.root:-.}/docs",
      description = "For benchmarks.md, with charts in images; ${DEFAULT-VALUE} if not given.")
  private Path out;

  @Override
  public Integer call() throws IOException {
    System.setProperty("java.awt.headless", "true");
    List<MachineResults> machines = MachineResults.of(Run.readFolder(results));
    if (machines.isEmpty()) {
      spec.commandLine().getErr().println("structkd bench report: no results in " + results);
      return 1;
    }
    Map<String, ListedLoss> losses = ListedLoss.all();
    List<String> charts =
        ReportCharts.write(machines.get(0), losses.keySet(), out.resolve("images"));
    String text =
        new ReportDocument(
                machines, losses, charts.stream().map(chart -> "images/" + chart).toList())
            .markdown();
    Path document = out.resolve("benchmarks.md");
    Files.writeString(document, template().replace(PLACE, text));
    spec.commandLine().getOut().println("Wrote " + document + " and " + charts.size() + " charts");
    return 0;
  }

  private static String template() throws IOException {
    try (InputStream text = ReportCommand.class.getResourceAsStream("/results/" + TEMPLATE)) {
      return new String(text.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
