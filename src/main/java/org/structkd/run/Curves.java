package org.structkd.run;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;
import org.structkd.train.MetricsCsv;

/**
 * A picture of a run's log: loss on the left, score on the validation examples on the right; the
 * trainings of one condition have one colour. What a short run has not logged has no chart.
 */
final class Curves {
  private static final int WIDTH = 480;
  private static final int HEIGHT = 320;

  /** For people of any colour vision: M. Okabe and K. Ito, "Color Universal Design", 2008. */
  private static final Color[] COLOURS = {
    new Color(0xd55e00),
    new Color(0x0072b2),
    new Color(0x009e73),
    new Color(0xcc79a7),
    new Color(0xe69f00),
    new Color(0x56b4e9),
    new Color(0x000000)
  };

  private Curves() {}

  /**
   * Draws those that have a point.
   *
   * @param rows of the log
   * @param score title of the number that was evaluated
   * @return one chart or two; an empty one that says so, if the log has no row
   */
  static BufferedImage draw(List<MetricsCsv.Row> rows, String score) {
    List<XYChart> charts =
        Stream.of(
                chart("total loss", rows, MetricsCsv.Row::total),
                chart(score + ", validation", rows, MetricsCsv.Row::validation))
            .filter(chart -> !chart.getSeriesMap().isEmpty())
            .toList();
    if (charts.isEmpty()) {
      charts = List.of(chart("too few steps for a curve", rows, MetricsCsv.Row::total));
    }
    BufferedImage image =
        new BufferedImage(charts.size() * WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    for (XYChart chart : charts) {
      chart.paint(graphics, WIDTH, HEIGHT);
      graphics.translate(WIDTH, 0);
    }
    graphics.dispose();
    return image;
  }

  private static XYChart chart(
      String title, List<MetricsCsv.Row> rows, ToDoubleFunction<MetricsCsv.Row> value) {
    XYChart chart =
        new XYChartBuilder().width(WIDTH).height(HEIGHT).title(title).xAxisTitle("step").build();
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    chart.getStyler().setYAxisDecimalPattern("0.0##");
    Map<String, Color> colours = new LinkedHashMap<>();
    byTraining(rows, value)
        .forEach(
            (training, points) -> {
              double[] steps = points.stream().mapToDouble(point -> point[0]).toArray();
              double[] values = points.stream().mapToDouble(point -> point[1]).toArray();
              XYSeries series = chart.addSeries(training, steps, values);
              // A line of one point would not be seen.
              series.setMarker(steps.length == 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);

              String condition = condition(training);
              series.setLabel(condition);
              series.setShowInLegend(!colours.containsKey(condition));
              Color colour =
                  colours.computeIfAbsent(
                      condition, name -> COLOURS[colours.size() % COLOURS.length]);
              series.setLineColor(colour);
              series.setMarkerColor(colour);
            });
    return chart;
  }

  /** What a training has in common with those of other seeds: its name without the number. */
  private static String condition(String training) {
    return training.replaceFirst("-\\d+$", "");
  }

  private static Map<String, List<double[]>> byTraining(
      List<MetricsCsv.Row> rows, ToDoubleFunction<MetricsCsv.Row> value) {
    Map<String, List<double[]>> points = new LinkedHashMap<>();
    for (MetricsCsv.Row row : rows) {
      double y = value.applyAsDouble(row);
      if (!Double.isNaN(y)) {
        points
            .computeIfAbsent(row.training(), training -> new ArrayList<>())
            .add(new double[] {row.step(), y});
      }
    }
    return points;
  }
}
