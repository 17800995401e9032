package org.structkd.metric;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;

/** A rating as people look at it: a bar of as many stars, with the number beside it. */
final class StarBar {
  private static final int PICTURE_WIDTH = 160;
  private static final int PICTURE_HEIGHT = 24;
  private static final double MOST_STARS = 5;

  private StarBar() {}

  static BufferedImage of(double stars) {
    BufferedImage image =
        new BufferedImage(PICTURE_WIDTH, PICTURE_HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, PICTURE_WIDTH, PICTURE_HEIGHT);
    graphics.setColor(new Color(0xf2b01e));
    int room = PICTURE_WIDTH - 40;
    int length = (int) Math.round(Math.max(0, Math.min(1, stars / MOST_STARS)) * room);
    graphics.fillRect(0, 4, length, PICTURE_HEIGHT - 8);
    graphics.setColor(Color.BLACK);
    graphics.drawString("%.2f".formatted(stars), room + 6, PICTURE_HEIGHT - 7);
    graphics.dispose();
    return image;
  }
}
