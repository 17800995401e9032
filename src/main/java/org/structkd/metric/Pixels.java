package org.structkd.metric;

import java.awt.image.BufferedImage;
import org.bytedeco.pytorch.Tensor;

/** Images as files hold them: whole levels, 0 to 255. */
public final class Pixels {
  private Pixels() {}

  /**
   * {@return intensities as levels of f64, rounded; what is darker than black or brighter than
   * white is clipped, NaN stays}
   *
   * @param image intensities of any shape, black 0 and white 1, on any device
   */
  public static double[] levels(Tensor image) {
    double[] values = Elements.of(image);
    for (int i = 0; i < values.length; i++) {
      values[i] = rounded(255 * values[i]);
    }
    return values;
  }

  /** A whole level. */
  static double rounded(double level) {
    return Math.rint(Math.max(0, Math.min(255, level)));
  }

  /**
   * {@return a picture of intensities, as {@link #levels} makes them}
   *
   * @param image [1 or 3, H, W]
   */
  public static BufferedImage picture(Tensor image) {
    return picture(levels(image), (int) image.size(1), (int) image.size(2));
  }

  /** A picture of levels, of one plane or of three. */
  static BufferedImage picture(double[] levels, int height, int width) {
    BufferedImage picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    int plane = height * width;
    int step = levels.length == plane ? 0 : plane;
    for (int at = 0; at < plane; at++) {
      int red = (int) levels[at];
      int green = (int) levels[step + at];
      int blue = (int) levels[2 * step + at];
      picture.setRGB(at % width, at / width, red << 16 | green << 8 | blue);
    }
    return picture;
  }
}
