package org.structkd.data;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.IntUnaryOperator;
import javax.imageio.ImageIO;

/**
 * Draws scenes above their labels, with a legend: {@code docs/images/fashion-scenes.png}. Written
 * by {@code src/main/data/make_contact_sheet.sh}.
 */
final class ContactSheet {
  private static final int COLUMNS = 8;
  private static final int ZOOM = 2;
  private static final int GAP = 4;
  private static final int CELL = FashionScenes.SIZE * ZOOM;
  private static final int LEGEND = 44;
  private static final int[] COLOURS = {
    0x000000, 0xe6194b, 0x3cb44b, 0xffe119, 0x4363d8, 0xf58231, 0x911eb4, 0x46f0f0, 0xf032e6,
    0xbcf60c, 0xffffff
  };

  private ContactSheet() {}

  /**
   * Writes the picture: a double row of scene and labels for each split.
   *
   * @param args the PNG to write
   */
  public static void main(String[] args) throws IOException {
    if (args.length != 1) {
      throw new IllegalArgumentException("usage: ContactSheet PNG");
    }
    System.setProperty("java.awt.headless", "true");
    FashionScenes scenes = FashionScenes.bundled(SceneConfig.defaults());
    int rows = 2 * Split.values().length;
    int height = rows * (CELL + GAP) + GAP + LEGEND;
    BufferedImage sheet =
        new BufferedImage(COLUMNS * (CELL + GAP) + GAP, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    graphics.setColor(Color.DARK_GRAY);
    graphics.fillRect(0, 0, sheet.getWidth(), height);
    for (Split split : Split.values()) {
      SceneBatch batch = scenes.batch(split, 0, COLUMNS);
      for (int b = 0; b < COLUMNS; b++) {
        int x = GAP + b * (CELL + GAP);
        int y = GAP + 2 * split.ordinal() * (CELL + GAP);
        graphics.drawImage(scene(batch, b), x, y, CELL, CELL, null);
        graphics.drawImage(labels(batch, b), x, y + CELL + GAP, CELL, CELL, null);
      }
    }
    drawLegend(graphics, height - LEGEND);
    graphics.dispose();
    Path png = Path.of(args[0]);
    if (png.getParent() != null) {
      Files.createDirectories(png.getParent());
    }
    ImageIO.write(sheet, "png", new File(args[0]));
  }

  private static BufferedImage scene(SceneBatch batch, int b) {
    return picture(
        pixel -> {
          float intensity = batch.images()[b * FashionScenes.PIXELS + pixel];
          return Math.round(Math.max(0, Math.min(1, intensity)) * 255) * 0x010101;
        });
  }

  private static BufferedImage labels(SceneBatch batch, int b) {
    return picture(pixel -> COLOURS[batch.labels()[b * FashionScenes.PIXELS + pixel]]);
  }

  private static BufferedImage picture(IntUnaryOperator colour) {
    int size = FashionScenes.SIZE;
    BufferedImage picture = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    for (int pixel = 0; pixel < FashionScenes.PIXELS; pixel++) {
      picture.setRGB(pixel % size, pixel / size, colour.applyAsInt(pixel));
    }
    return picture;
  }

  private static void drawLegend(Graphics2D graphics, int top) {
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    int perRow = (FashionScenes.CLASSES + 1) / 2;
    int width = COLUMNS * (CELL + GAP) / perRow;
    for (int label = 0; label < FashionScenes.CLASSES; label++) {
      int x = GAP + label % perRow * width;
      int y = top + label / perRow * (LEGEND / 2);
      graphics.setColor(new Color(COLOURS[label]));
      graphics.fillRect(x, y + 4, 14, 14);
      graphics.setColor(Color.WHITE);
      graphics.drawString(FashionScenes.CLASS_NAMES.get(label), x + 20, y + 15);
    }
  }
}
