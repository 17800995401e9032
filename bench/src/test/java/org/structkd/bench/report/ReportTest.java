package org.structkd.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.bench.cases.ListedLoss;

/** Two machines; a gap, a failed cell, a run that a newer one replaces, a quick run. */
class ReportTest {
  private static final String HEADER =
      "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,"
          + "config,device,timestamp,version";

  @TempDir private Path folder;

  @BeforeAll
  static void withoutDisplay() {
    System.setProperty("java.awt.headless", "true");
  }

  @Test
  void newestRunOfEachMachineIsShown() throws IOException {
    String text = report();
    assertTrue(
        text.contains(
            "| 1x512x32x32 | structkd | 10.0 (9.00–11.0) | 4.00x | 1.50 | 2.5e-08 | 82.0 |"),
        text);
    assertFalse(text.contains("777"), "a replaced or quick run is shown: " + text);
    assertTrue(text.contains("```\nNew, 2 cores, 2 threads\nlimit f32 90 GFLOP/s\n```"), text);
  }

  @Test
  void machineWithMoreKernelsComesFirstAndOthersShowTheirs() throws IOException {
    String text = report();
    int first = text.indexOf("## New, 2 cores");
    int second = text.indexOf("## Other, 8 cores");
    assertTrue(first >= 0 && second > first, text);
    assertTrue(text.indexOf("| pixelwise 1x19x1x1 |") > first, text);
    assertFalse(text.substring(second).contains("pixelwise"), text);
  }

  @Test
  void gapsAndFailuresSayWhy() throws IOException {
    String text = report();
    assertTrue(text.contains("| 1x512x128x256 | eager | would need 12.9 GB |"), text);
    assertTrue(text.contains("| 1x512x64x64 | structkd | wrong result: value 3 |"), text);
  }

  @Test
  void winsTiesAndLossesAreCountedByTheirRanges() throws IOException {
    String text = report();
    assertTrue(text.contains("**Losses: 1.** pairwise 1x64x8x8 0.500x against eager-best"), text);
    assertTrue(text.contains("**Ties: 1.** pixelwise 1x19x1x1 1.02x against eager"), text);
    assertTrue(text.contains("**Wins: 1.** pairwise 1x512x32x32 4.00x against eager"), text);
  }

  @Test
  void targetsAreMetOrExplained() throws IOException {
    String text = report();
    assertTrue(
        text.contains(
            "| pairwise 1x512x32x32 | 15.0 | 10.0 | 2.50x | 4.00x | 90.0 | 82.0 | ratio yes, limit **no** |"),
        text);
    assertTrue(text.contains("* pairwise 1x512x32x32: The gradient is a product in f64."), text);
    assertTrue(text.contains("| pairwise 1x2x3x4 |  |  | 2.00x |  |  |  | not measured |"), text);
  }

  @Test
  void sameFilesGiveSameText() throws IOException {
    assertEquals(report(), report());
  }

  @Test
  void rowIsReadAsItWasWritten() {
    CsvRow row =
        new CsvRow(
            "call",
            "eager",
            "load",
            "speed_ms",
            "nodes",
            1,
            2.5,
            2,
            3,
            "a \"b\", c",
            "d, e",
            "f",
            "g");
    assertEquals(row, CsvRow.parse(row.line()));
  }

  @Test
  void brokenRowIsNamed() throws IOException {
    Files.writeString(folder.resolve("broken.csv"), HEADER + "\npairwise,eager\n");
    IOException error = assertThrows(IOException.class, () -> Run.readFolder(folder));
    assertTrue(error.getMessage().endsWith("broken.csv, line 2: 2 columns, expected 13"));
  }

  @Test
  void chartsAreDrawn() throws IOException {
    writeResults();
    List<String> charts =
        ReportCharts.write(results().get(0), Set.of("pairwise", "pixelwise"), folder);
    assertEquals(
        List.of("bench-pairwise-time-512-channels.png", "bench-ratios-pairwise.png"),
        charts.stream().filter(name -> name.contains("pairwise")).toList());
    for (String chart : charts) {
      assertEquals(840, ImageIO.read(folder.resolve(chart).toFile()).getWidth(), chart);
    }
  }

  private String report() throws IOException {
    writeResults();
    Map<String, ListedLoss> losses = new LinkedHashMap<>();
    losses.put(
        "pairwise",
        listed(
            asked("1x512x32x32", 2.5, 15, 90, "The gradient is a product in f64."),
            asked("1x2x3x4", 2, 0, 0, null)));
    losses.put("pixelwise", listed(asked("1x19x1x1", 1, 0, 0, null)));
    return new ReportDocument(results(), losses, List.of()).markdown();
  }

  private static ListedLoss listed(ListedLoss.Case... cases) {
    ListedLoss.Group cpu = new ListedLoss.Group(List.of(), null, List.of(cases));
    return new ListedLoss("A loss", "features", "nodes", null, cpu, null);
  }

  private static ListedLoss.Case asked(
      String name, double ratio, double ms, double percent, String missed) {
    ListedLoss.Target target =
        new ListedLoss.Target("eager", ratio, ms, percent, 0, missed, null, 0, 0, 0);
    return new ListedLoss.Case(name, false, 0, null, false, null, List.of(target), null);
  }

  private List<MachineResults> results() throws IOException {
    return MachineResults.of(Run.readFolder(folder));
  }

  private void writeResults() throws IOException {
    String now = "\"New, 2 cores\",2026-01-03T00:00:00Z,0.1.0+abc";
    String before = "\"New, 2 cores\",2026-01-02T00:00:00Z,0.1.0+abc";
    String other = "\"Other, 8 cores\",2026-01-05T00:00:00Z,0.1.0+abc";
    write(
        "a.csv",
        "# New, 2 cores, 2 threads",
        "# an older run",
        row("pairwise,eager", "speed_ms,nodes,1024,777,777,777", "1x512x32x32", before),
        "# New, 2 cores, 2 threads",
        "# limit f32 90 GFLOP/s",
        row("pairwise,eager", "speed_ms,nodes,1024,40,39,41", "1x512x32x32", now),
        row("pairwise,structkd", "speed_ms,nodes,1024,10,9,11", "1x512x32x32", now),
        row("pairwise,structkd", "peak_memory_mib,nodes,1024,1.5,1.5,1.5", "1x512x32x32", now),
        row(
            "pairwise,structkd",
            "gradient_error,nodes,1024,2.5e-8,2.5e-8,2.5e-8",
            "1x512x32x32",
            now),
        row("pairwise,structkd", "percent_of_limit,nodes,1024,82,82,82", "1x512x32x32", now),
        row("pairwise,eager", "speed_ms,nodes,4096,600,590,610", "1x512x64x64", now),
        row(
            "pairwise,structkd",
            "speed_ms,nodes,4096,,,",
            "1x512x64x64 dtype=f32 gap=\"\"wrong result: value 3\"\"",
            now),
        row(
            "pairwise,eager",
            "speed_ms,nodes,32768,,,",
            "1x512x128x256 dtype=f32 gap=\"\"would need 12.9 GB\"\"",
            now),
        row("pairwise,eager-best", "speed_ms,nodes,64,1,0.9,1.1", "1x64x8x8", now),
        row("pairwise,structkd", "speed_ms,nodes,64,2,1.9,2.1", "1x64x8x8", now),
        row("pixelwise,eager", "speed_ms,pixels,1,0.051,0.049,0.06", "1x19x1x1", now),
        row("pixelwise,structkd", "speed_ms,pixels,1,0.05,0.048,0.06", "1x19x1x1", now));
    write(
        "b.csv",
        "# Other, 8 cores",
        row("pairwise,structkd", "speed_ms,nodes,1024,5,5,5", "1x512x32x32", other));
    write(
        "quick-c.csv",
        row("pairwise,structkd", "speed_ms,nodes,1024,777,777,777", "1x512x32x32", now));
  }

  private void write(String name, String... lines) throws IOException {
    Files.writeString(folder.resolve(name), HEADER + "\n" + String.join("\n", lines) + "\n");
  }

  private static String row(String start, String figures, String config, String end) {
    return "%s,full,%s,\"shape=%s\",%s".formatted(start, figures, config, end);
  }
}
