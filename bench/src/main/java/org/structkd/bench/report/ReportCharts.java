package org.structkd.bench.report;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Pictures of one machine's figures. */
final class ReportCharts {
  /** Charts are as wide as a README on the web. */
  private static final int WIDTH = 840;

  private static final int HEIGHT = 420;

  /** Memory is measured to about that; zero has no place on a logarithmic axis. */
  private static final double LEAST_MEBIBYTES = 0.1;

  private static final String ALIGNED = "-aligned";

  private final MachineResults results;
  private final Path folder;
  private final List<String> written = new ArrayList<>();

  private ReportCharts(MachineResults results, Path folder) {
    this.results = results;
    this.folder = folder;
  }

  /**
   * Draws all charts that have something to show.
   *
   * @return their file names
   */
  static List<String> write(MachineResults results, Set<String> losses, Path folder)
      throws IOException {
    ReportCharts charts = new ReportCharts(results, folder);
    for (int channels : new int[] {512, 128}) {
      charts.overNodes(channels, "speed_ms", "time", "milliseconds", 0);
      charts.overNodes(channels, "peak_memory_mib", "memory", "MiB", LEAST_MEBIBYTES);
    }
    for (String loss : losses) {
      charts.ratios(loss);
    }
    return charts.written;
  }

  /** The pair-wise loss of one image with so many channels. */
  private void overNodes(int channels, String metric, String what, String unit, double least)
      throws IOException {
    Map<String, List<Cell>> series = new LinkedHashMap<>();
    for (Cell cell : results.cells("pairwise", "full")) {
      boolean aligned = cell.shape().endsWith(ALIGNED);
      String size = aligned ? withoutSuffix(cell.shape()) : cell.shape();
      if (size.matches("1x" + channels + "x\\d+x\\d+") && !Double.isNaN(cell.value(metric))) {
        // Compositions take the same time on all inputs: once is enough.
        if (!aligned || cell.provider().startsWith("structkd")) {
          String name = cell.provider() + (aligned ? ", aligned" : "");
          series.computeIfAbsent(name, key -> new ArrayList<>()).add(cell);
        }
      }
    }
    series.values().removeIf(cells -> cells.size() < 2);
    if (series.isEmpty()) {
      return;
    }
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("Pair-wise loss, " + channels + " channels: " + what + " of value and gradient")
            .xAxisTitle("nodes")
            .yAxisTitle(unit)
            .build();
    style(chart.getStyler());
    chart.getStyler().setXAxisLogarithmic(true);
    series.forEach(
        (name, cells) -> {
          List<Cell> sorted = cells.stream().sorted(Comparator.comparingLong(Cell::x)).toList();
          double[] x = sorted.stream().mapToDouble(Cell::x).toArray();
          double[] y =
              sorted.stream().mapToDouble(cell -> Math.max(least, cell.value(metric))).toArray();
          chart.addSeries(name, x, y).setMarker(SeriesMarkers.CIRCLE);
        });
    save(chart, "pairwise-" + what + "-" + channels + "-channels");
  }

  private static String withoutSuffix(String shape) {
    return shape.substring(0, shape.length() - ALIGNED.length());
  }

  /** How many times faster than eager each provider is. */
  private void ratios(String loss) throws IOException {
    List<Cell> cells =
        results.cells(loss, "full").stream()
            .filter(cell -> !cell.provider().equals(MachineResults.BASELINE))
            .filter(cell -> !Double.isNaN(results.ratio(cell, MachineResults.BASELINE)))
            .toList();
    if (cells.isEmpty()) {
      return;
    }
    List<String> shapes = cells.stream().map(Cell::shape).distinct().toList();
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(loss.replace('_', ' ') + ": times faster than eager")
            .build();
    style(chart.getStyler());
    chart.getStyler().setXAxisLabelRotation(shapes.size() > 5 ? 30 : 0);
    for (String provider : cells.stream().map(Cell::provider).distinct().toList()) {
      List<Double> ratios = new ArrayList<>();
      for (String shape : shapes) {
        Cell cell = results.cell(loss, "full", shape, provider);
        // NaN, of a provider that was not measured at this size, leaves a space.
        ratios.add(cell == null ? Double.NaN : results.ratio(cell, MachineResults.BASELINE));
      }
      chart.addSeries(provider, shapes, ratios);
    }
    // A bar stands on the bottom of the axis; without it, on zero, which this axis does not have.
    double least =
        cells.stream()
            .mapToDouble(cell -> results.ratio(cell, MachineResults.BASELINE))
            .reduce(1, Math::min);
    chart.getStyler().setYAxisMin(Math.pow(10, Math.floor(Math.log10(least))));
    save(chart, "ratios-" + loss.replace('_', '-'));
  }

  private static void style(AxesChartStyler styler) {
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setLegendPosition(Styler.LegendPosition.OutsideE);
    styler.setYAxisLogarithmic(true);
  }

  private void save(Chart<?, ?> chart, String name) throws IOException {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    chart.paint(image.createGraphics(), WIDTH, HEIGHT);
    Files.createDirectories(folder);
    String file = "bench-" + name + ".png";
    ImageIO.write(image, "png", folder.resolve(file).toFile());
    written.add(file);
  }
}
