package org.structkd.run;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;

/** A picture of what recipes are worth: equal numbers give an equal picture on one machine. */
final class ScoreChart {
  private static final int MARGIN = 120;
  private static final int COLUMN = 90;
  private static final int HEIGHT = 420;

  /** Degrees: names are longer than their columns are wide. */
  private static final int SLOPE = 45;

  private final List<String> names = new ArrayList<>();
  private final List<Double> means = new ArrayList<>();
  private final List<Double> deviations = new ArrayList<>();

  /** Adds a recipe; a deviation that one seed does not have is NaN, and is not drawn. */
  void add(String name, double mean, double deviation) {
    names.add(name);
    means.add(mean);
    deviations.add(Double.isNaN(deviation) ? 0 : deviation);
  }

  /**
   * {@return means with their standard deviations, in the order in which they were added}
   *
   * @param score title of the number
   */
  BufferedImage draw(String score) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(MARGIN + COLUMN * names.size())
            .height(HEIGHT)
            .title(score + ", mean ± standard deviation")
            .build();
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendVisible(false);
    chart.getStyler().setYAxisDecimalPattern("0.0##");
    chart.getStyler().setXAxisLabelRotation(SLOPE);
    chart.getStyler().setDefaultSeriesRenderStyle(CategorySeries.CategorySeriesRenderStyle.Scatter);
    chart.addSeries("score", names, means, deviations);
    BufferedImage image =
        new BufferedImage(chart.getWidth(), chart.getHeight(), BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    chart.paint(graphics, chart.getWidth(), chart.getHeight());
    graphics.dispose();
    return image;
  }
}
