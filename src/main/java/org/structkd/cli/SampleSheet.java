package org.structkd.cli;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatch;
import org.structkd.data.Split;
import org.structkd.metric.Palette;
import org.structkd.model.SegmentationNet;

/** A picture of test scenes, their true classes, and what networks make of them. */
final class SampleSheet {
  private static final int SCENES = 6;
  private static final int ZOOM = 2;
  private static final int CELL = FashionScenes.SIZE * ZOOM;
  private static final int GAP = 4;
  private static final int HEADING = 18;

  private SampleSheet() {}

  /** A row for each scene; networks are columns in their order. */
  static BufferedImage draw(
      FashionScenes scenes, Map<String, SegmentationNet> networks, Device device) {
    SceneBatch batch = scenes.batch(Split.TEST, 0, SCENES);
    int columns = 2 + networks.size();
    BufferedImage sheet =
        new BufferedImage(
            GAP + columns * (CELL + GAP),
            HEADING + SCENES * (CELL + GAP),
            BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    graphics.setColor(Color.DARK_GRAY);
    graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
    graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    for (int scene = 0; scene < SCENES; scene++) {
      place(graphics, "image", 0, scene, Palette.scene(batch, scene));
      place(graphics, "truth", 1, scene, Palette.labels(batch, scene));
      int column = 2;
      for (Map.Entry<String, SegmentationNet> network : networks.entrySet()) {
        place(
            graphics,
            network.getKey(),
            column++,
            scene,
            mask(network.getValue(), device, batch, scene));
      }
    }
    graphics.dispose();
    return sheet;
  }

  private static void place(
      Graphics2D graphics, String heading, int column, int row, BufferedImage image) {
    int x = GAP + column * (CELL + GAP);
    if (row == 0) {
      graphics.setColor(Color.WHITE);
      graphics.drawString(heading, x, HEADING - 5);
    }
    graphics.drawImage(image, x, HEADING + row * (CELL + GAP), CELL, CELL, null);
  }

  private static BufferedImage mask(
      SegmentationNet net, Device device, SceneBatch batch, int scene) {
    int size = FashionScenes.SIZE;
    float[] pixels =
        Arrays.copyOfRange(batch.images(), scene * size * size, (scene + 1) * size * size);
    int[] classes = Classifier.classes(net, device, pixels, size, size);
    return Palette.mask(size, size, at -> Palette.colour(classes[at]));
  }
}
