package org.structkd.run;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
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
 * A picture of test examples, a row each: images as they are, the truth and what networks make of
 * it as the metric draws them.
 */
final class SampleSheet {
  private static final int EXAMPLES = 6;

  /** Pixels: smaller pictures are enlarged by whole factors to about this height. */
  private static final int LEAST_HEIGHT = 96;

  private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
  private static final FontRenderContext UNSCALED = new FontRenderContext(null, true, true);

  private static final int GAP = 4;
  private static final int HEADING = 18;

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

  /** Networks are columns in their order. */
  BufferedImage draw(Map<String, TappedNetwork> networks) {
    List<Map<String, BufferedImage>> rows = new ArrayList<>();
    for (int i = 0; i < Math.min(EXAMPLES, data.size(Split.TEST)); i++) {
      rows.add(row(i, networks));
    }
    return painted(rows);
  }

  private Map<String, BufferedImage> row(int example, Map<String, TappedNetwork> networks) {
    Map<String, BufferedImage> row = new LinkedHashMap<>();
    try (PointerScope temporaries = new PointerScope()) {
      Batch batch = data.examples(Split.TEST, example, 1);
      Tensor images = batch.inputs().get(Batch.IMAGES);
      if (images != null && images.dim() == 4 && (images.size(1) == 1 || images.size(1) == 3)) {
        row.put("image", Pixels.picture(images.select(0, 0)));
      }
      row.putAll(metric.baselines(batch));
      row.put("truth", metric.picture(Map.of(), batch));
      Map<String, Tensor> inputs = batch.to(device).inputs();
      networks.forEach(
          (name, network) -> row.put(name, metric.picture(network.infer(inputs), batch)));
    }
    return row;
  }

  private static BufferedImage painted(List<Map<String, BufferedImage>> rows) {
    int width = GAP;
    for (String column : rows.get(0).keySet()) {
      width += width(column, rows) + GAP;
    }
    int height = HEADING + rows.stream().mapToInt(row -> height(row) + GAP).sum();
    BufferedImage sheet = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    graphics.setColor(Color.DARK_GRAY);
    graphics.fillRect(0, 0, width, height);
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
    graphics.dispose();
    return sheet;
  }

  /** The widest of the column's pictures and its heading. */
  private static int width(String column, List<Map<String, BufferedImage>> rows) {
    int heading = (int) Math.ceil(FONT.getStringBounds(column, UNSCALED).getWidth());
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
