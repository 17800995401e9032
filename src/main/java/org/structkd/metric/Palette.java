package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.WritableRaster;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.structkd.data.SceneBatches;

/**
 * How classes look in pictures: each has a colour of its own, of which one channel at least is 128,
 * but for a class called "background", which is black. Grey are pixels of no class.
 *
 * <p>The colours are not those that data sets publish, such as PASCAL VOC's, of which some are
 * nearly black: a mask is for the eye, and its indices tell programs the classes.
 *
 * @param classes their names, by label
 */
public record Palette(List<String> classes) {
  /** The class that lies behind all others. */
  private static final String BACKGROUND = "background";

  private static final int BLACK = 0x000000;

  /** Far apart from each other: after S. Trubetskoy, "20 simple, distinct colors", 2017. */
  private static final int[] DISTINCT = {
    0xe6194b, 0x3cb44b, 0xffe119, 0x4363d8, 0xf58231, 0x911eb4, 0x46f0f0, 0xf032e6, 0xbcf60c,
    0xffffff, 0xfabebe, 0x008080, 0xe6beff, 0x9a6324, 0xfffac8, 0x800000, 0xaaffc3, 0x808000,
    0xffd8b1
  };

  /** Colour of labels that are no class, such as those of unlabelled pixels. */
  private static final int NO_CLASS = 0x808080;

  /** Turns of the hue from one class to the next: multiples of the golden ratio keep apart. */
  private static final double TURN = (Math.sqrt(5) - 1) / 2;

  /** Labels that an image of 8 bits can hold; the last is that of no class. */
  private static final int INDICES = 256;

  /** Copies the list. */
  public Palette {
    classes = List.copyOf(classes);
  }

  /**
   * {@return the colour of a label, 0xRRGGBB}
   *
   * @param label grey for 255 and whatever is no class
   */
  public int colour(int label) {
    if (label < 0 || label >= classes.size() || label == SceneBatches.UNLABELLED) {
      return NO_CLASS;
    }
    int background = classes.indexOf(BACKGROUND);
    if (label == background) {
      return BLACK;
    }
    int place = background >= 0 && background < label ? label - 1 : label;
    return place < DISTINCT.length ? DISTINCT[place] : turned(place);
  }

  /** Another hue, three lightnesses and two saturations in turn. */
  private static int turned(int place) {
    double hue = place * TURN % 1;
    double least = place % 2 == 0 ? 0 : 0.35;
    double most = 1 - place % 3 * 0.2;
    int colour = 0;
    for (int channel = 0; channel < 3; channel++) {
      double away = Math.abs((hue + channel / 3.0) % 1 - 0.5) * 6; // 0 to 3
      double full = Math.min(1, Math.max(0, away - 1));
      colour = colour << 8 | (int) Math.round(255 * most * (least + (1 - least) * full));
    }
    return colour;
  }

  /**
   * {@return a picture of classes} Of up to 255 classes it has a palette: the index of a pixel is
   * its label.
   *
   * @param labels row by row; 255 and what is no class become 255
   */
  public BufferedImage mask(int width, int height, int[] labels) {
    if (classes.size() >= INDICES) {
      return picture(width, height, at -> colour(labels[at]));
    }
    int[] colours = IntStream.range(0, INDICES).map(this::colour).toArray();
    IndexColorModel palette =
        new IndexColorModel(8, INDICES, colours, 0, false, -1, DataBuffer.TYPE_BYTE);
    BufferedImage image =
        new BufferedImage(width, height, BufferedImage.TYPE_BYTE_INDEXED, palette);
    WritableRaster raster = image.getRaster();
    for (int at = 0; at < width * height; at++) {
      boolean isClass = labels[at] >= 0 && labels[at] < classes.size();
      raster.setSample(at % width, at / width, 0, isClass ? labels[at] : SceneBatches.UNLABELLED);
    }
    return image;
  }

  /** An image out of the colour of each pixel, row by row. */
  static BufferedImage picture(int width, int height, IntUnaryOperator pixel) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int at = 0; at < width * height; at++) {
      image.setRGB(at % width, at / width, pixel.applyAsInt(at));
    }
    return image;
  }
}
