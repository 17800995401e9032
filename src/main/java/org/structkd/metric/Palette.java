package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.function.IntUnaryOperator;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;

/** How classes look in pictures. */
public final class Palette {
  /**
   * One colour per class of {@link FashionScenes#CLASS_NAMES}, far apart from each other: after S.
   * Trubetskoy, "20 simple, distinct colors", 2017.
   */
  private static final int[] COLOURS = {
    0x000000, 0xe6194b, 0x3cb44b, 0xffe119, 0x4363d8, 0xf58231, 0x911eb4, 0x46f0f0, 0xf032e6,
    0xbcf60c, 0xffffff
  };

  /** Colour of labels that are no class, such as those of unlabelled pixels. */
  private static final int NO_CLASS = 0x808080;

  private Palette() {}

  /**
   * {@return the colour of a class, 0xRRGGBB; all classes below 255 have their own}
   *
   * @param label any number; grey for 255 and what is below 0, which are no classes
   */
  public static int colour(int label) {
    if (label < 0 || label == SceneBatches.UNLABELLED) {
      return NO_CLASS;
    }
    return label < COLOURS.length ? COLOURS[label] : furtherColour(label);
  }

  /**
   * The colours of Pascal VOC's masks: the three lowest bits of the class are the highest of red,
   * green and blue, the next three the next highest. From the eleventh on they are none of the
   * colours above.
   *
   * <p>Source: M. Everingham et al., VOC development kit 2012, {@code VOClabelcolormap}.
   */
  private static int furtherColour(int label) {
    int colour = 0;
    for (int bits = label, level = 7; bits > 0; bits >>= 3, level--) {
      colour |= (bits & 1) << level + 16 | (bits >> 1 & 1) << level + 8 | (bits >> 2 & 1) << level;
    }
    return colour;
  }

  /** An image out of the colour of each pixel, row by row. */
  public static BufferedImage mask(int width, int height, IntUnaryOperator pixel) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int at = 0; at < width * height; at++) {
      image.setRGB(at % width, at / width, pixel.applyAsInt(at));
    }
    return image;
  }
}
