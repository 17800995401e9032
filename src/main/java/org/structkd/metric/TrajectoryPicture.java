package org.structkd.metric;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.CrowdDataset;

/** The ground from above: a zone, what was seen of a person, where the person went, an answer. */
final class TrajectoryPicture {
  private static final int ZONE = 0xf4c7c3;
  private static final int OTHERS = 0x9e9e9e;
  private static final int OBSERVED = 0x202124;
  private static final int TRUTH = 0x188038;
  private static final int ANSWER = 0x1a73e8;

  /** What colours mean. */
  static final Map<String, Integer> COLOURS = colours();

  private static final String NAME = "picture of a trajectory";

  /** Pixels of a side. */
  private static final int SIZE = 192;

  /** Metres of a side at least, and around what was seen and went on. */
  private static final double LEAST = 8;

  private static final double MARGIN = 1;

  private final Graphics2D graphics;
  private final double centreX;
  private final double centreY;
  private final double scale;

  /** Shows the middle of some places, so that all pictures of an example are alike. */
  private TrajectoryPicture(Graphics2D graphics, Places seen, Places truth) {
    this.graphics = graphics;
    double[] x = {0, 0};
    double[] y = {0, 0};
    for (Places places : new Places[] {seen, truth}) {
      for (int step = 0; step < places.steps(); step++) {
        x[0] = Math.min(x[0], places.x(0, step));
        x[1] = Math.max(x[1], places.x(0, step));
        y[0] = Math.min(y[0], places.y(0, step));
        y[1] = Math.max(y[1], places.y(0, step));
      }
    }
    centreX = (x[0] + x[1]) / 2;
    centreY = (y[0] + y[1]) / 2;
    scale = SIZE / Math.max(LEAST, Math.max(x[1] - x[0], y[1] - y[0]) + 2 * MARGIN);
  }

  private static Map<String, Integer> colours() {
    Map<String, Integer> colours = new LinkedHashMap<>();
    colours.put("zone", ZONE);
    colours.put("others", OTHERS);
    colours.put("observed", OBSERVED);
    colours.put("truth", TRUTH);
    colours.put("predicted", ANSWER);
    return colours;
  }

  /**
   * Draws the first example of a batch.
   *
   * @param answer places [B, P, 2]; null: none
   */
  static BufferedImage of(Batch batch, @Nullable Tensor answer) {
    Places seen = Places.of(NAME, batch.input(CrowdDataset.OBSERVED));
    Places truth = Places.of(NAME, batch.target(CrowdDataset.TRAJECTORIES));
    BufferedImage image = new BufferedImage(SIZE, SIZE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, SIZE, SIZE);
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    TrajectoryPicture picture = new TrajectoryPicture(graphics, seen, truth);
    picture.zone(Places.of(NAME, batch.target(CrowdDataset.ZONES)));
    picture.others(batch.input(CrowdDataset.NEIGHBOURS), seen);
    picture.path(truth, TRUTH);
    picture.path(seen, OBSERVED);
    if (answer != null) {
      picture.path(Places.of(NAME, answer), ANSWER);
    }
    graphics.dispose();
    return image;
  }

  private double column(double x) {
    return SIZE / 2.0 + scale * (x - centreX);
  }

  /** Metres grow upwards. */
  private double row(double y) {
    return SIZE / 2.0 - scale * (y - centreY);
  }

  private void zone(Places corners) {
    Path2D outline = new Path2D.Double(Path2D.WIND_EVEN_ODD);
    outline.moveTo(column(corners.x(0, 0)), row(corners.y(0, 0)));
    for (int corner = 1; corner < corners.steps(); corner++) {
      outline.lineTo(column(corners.x(0, corner)), row(corners.y(0, corner)));
    }
    outline.closePath();
    graphics.setColor(new Color(ZONE));
    graphics.fill(outline);
  }

  /** Where each neighbour was at the last observed step; 0, 0 is nobody. */
  private void others(Tensor neighbours, Places seen) {
    Tensor first = neighbours.narrow(0, 0, 1).select(1, seen.steps() - 1);
    Places others = Places.of(NAME, first.reshape(1, -1, 2));
    graphics.setColor(new Color(OTHERS));
    for (int i = 0; i < others.steps(); i++) {
      if (others.x(0, i) != 0 || others.y(0, i) != 0) {
        dot(others.x(0, i), others.y(0, i), 4);
      }
    }
  }

  /** A line from the last observed place or to it, with a dot at each step. */
  private void path(Places places, int colour) {
    graphics.setColor(new Color(colour));
    graphics.setStroke(new BasicStroke(1.5f));
    Path2D line = new Path2D.Double();
    line.moveTo(column(0), row(0));
    boolean back = colour == OBSERVED;
    for (int i = 0; i < places.steps(); i++) {
      int step = back ? places.steps() - 1 - i : i;
      line.lineTo(column(places.x(0, step)), row(places.y(0, step)));
      dot(places.x(0, step), places.y(0, step), 2);
    }
    graphics.draw(line);
  }

  private void dot(double x, double y, double radius) {
    graphics.fill(
        new Ellipse2D.Double(column(x) - radius, row(y) - radius, 2 * radius, 2 * radius));
  }
}
