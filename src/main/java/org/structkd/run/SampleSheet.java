package org.structkd.run;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.font.FontRenderContext;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.Split;
import org.structkd.metric.Metric;
import org.structkd.metric.Pixels;
import org.structkd.model.TappedNetwork;
import org.structkd.recipe.Experiment;

/**
 * A picture of test examples, a row each: images as they are (of more than three channels the first
 * three, as red, green and blue), the truth and what networks make of it as the metric draws them;
 * below them what the colours mean.
 */
final class SampleSheet {
  /** Heading of what networks see. */
  static final String IMAGE = "image";

  /** Heading of what is true. */
  static final String TRUTH = "truth";

  private static final int EXAMPLES = 6;

  /** Pixels: smaller pictures are enlarged by whole factors to about this height. */
  private static final int LEAST_HEIGHT = 96;

  private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
  private static final FontRenderContext UNSCALED = new FontRenderContext(null, true, true);

  private static final int GAP = 4;
  private static final int HEADING = 18;

  /** Height and width of a patch of colour in the legend. */
  private static final int PATCH = 13;

  private final Metric metric;
  private final Dataset data;
  private final Device device;

  /**
   * A sheet of the examples by which an experiment's students are judged.
   *
   * @param device where the networks are
   */
  SampleSheet(Experiment experiment, Device device) {
    metric = experiment.metric();
    data = experiment.data();
    this.device = device;
  }

  /** What the colours mean, 0xRRGGBB by name; empty where they mean nothing. */
  Map<String, Integer> legend() {
    return metric.legend();
  }

  /**
   * {@return the pictures of each example by their headings, in the order of the columns: {@link
   * #IMAGE} where it can be shown, what needs no network, {@link #TRUTH}, the networks}
   */
  List<Map<String, BufferedImage>> rows(Map<String, TappedNetwork> networks) {
    List<Map<String, BufferedImage>> rows = new ArrayList<>();
    for (int i = 0; i < Math.min(EXAMPLES, data.size(Split.TEST)); i++) {
      rows.add(row(i, networks));
    }
    return rows;
  }

  private Map<String, BufferedImage> row(int example, Map<String, TappedNetwork> networks) {
    Map<String, BufferedImage> row = new LinkedHashMap<>();
    try (PointerScope temporaries = new PointerScope()) {
      Batch batch = data.examples(Split.TEST, example, 1);
      Tensor images = batch.inputs().get(Batch.IMAGES);
      if (images != null && images.dim() == 4) {
        Tensor image = data.intensities(images).select(0, 0);
        row.put(IMAGE, Pixels.picture(image.narrow(0, 0, image.size(0) < 3 ? 1 : 3)));
      }
      row.putAll(metric.baselines(batch));
      row.put(TRUTH, metric.picture(Map.of(), batch));
      Map<String, Tensor> inputs = batch.to(device).inputs();
      networks.forEach(
          (name, network) ->
              row.put(name, metric.picture(metric.asked(network).infer(inputs), batch)));
    }
    return row;
  }

  /**
   * All pictures in one, under their headings.
   *
   * @param legend what colours mean, 0xRRGGBB by name; may be empty
   */
  static BufferedImage painted(List<Map<String, BufferedImage>> rows, Map<String, Integer> legend) {
    int width = GAP;
    for (String column : rows.get(0).keySet()) {
      width += width(column, rows) + GAP;
    }
    int height = HEADING + rows.stream().mapToInt(row -> height(row) + GAP).sum();
    BufferedImage unseen = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB);
    int all = legend(unseen.createGraphics(), legend, width, height);
    BufferedImage sheet = new BufferedImage(width, all, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    // Letters are as wide as they were measured.
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    graphics.setColor(Color.DARK_GRAY);
    graphics.fillRect(0, 0, width, all);
    graphics.setColor(Color.WHITE);
    graphics.setFont(FONT);
    int x = GAP;
    for (String column : rows.get(0).keySet()) {
      graphics.drawString(column, x, HEADING - 5);
      int y = HEADING;
      for (Map<String, BufferedImage> row : rows) {
        BufferedImage picture = row.get(column);
        int zoom = zoom(picture);
        graphics.drawImage(
            picture, x, y, zoom * picture.getWidth(), zoom * picture.getHeight(), null);
        y += height(row) + GAP;
      }
      x += width(column, rows) + GAP;
    }
    legend(graphics, legend, width, height);
    graphics.dispose();
    return sheet;
  }

  /**
   * Patches of colours with their names, in lines of a width.
   *
   * @param top where the first line begins
   * @return where the last one ends
   */
  private static int legend(Graphics2D graphics, Map<String, Integer> legend, int width, int top) {
    int x = GAP;
    int y = legend.isEmpty() ? top : top + HEADING;
    for (Map.Entry<String, Integer> entry : legend.entrySet()) {
      int wide = PATCH + GAP + textWidth(entry.getKey());
      if (x > GAP && x + wide + GAP > width) {
        x = GAP;
        y += HEADING;
      }
      graphics.setColor(Color.LIGHT_GRAY); // a frame, for what is as dark as the sheet
      graphics.fillRect(x, y - HEADING + 2, PATCH, PATCH);
      graphics.setColor(new Color(entry.getValue()));
      graphics.fillRect(x + 1, y - HEADING + 3, PATCH - 2, PATCH - 2);
      graphics.setColor(Color.WHITE);
      graphics.drawString(entry.getKey(), x + PATCH + GAP, y - 5);
      x += wide + 3 * GAP;
    }
    return y;
  }

  private static int textWidth(String text) {
    return (int) Math.ceil(FONT.getStringBounds(text, UNSCALED).getWidth());
  }

  /** The widest of the column's pictures and its heading. */
  private static int width(String column, List<Map<String, BufferedImage>> rows) {
    int heading = textWidth(column);
    return rows.stream()
        .map(row -> row.get(column))
        .mapToInt(picture -> zoom(picture) * picture.getWidth())
        .reduce(heading, Math::max);
  }

  private static int zoom(BufferedImage picture) {
    return Math.max(1, LEAST_HEIGHT / picture.getHeight());
  }

  private static int height(Map<String, BufferedImage> row) {
    return row.values().stream().mapToInt(p -> zoom(p) * p.getHeight()).max().orElse(0);
  }
}
