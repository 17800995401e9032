package org.structkd.data;

import java.util.Arrays;

/**
 * Two rectified views of a scene: what lies in a row of one lies in the same row of the other, by
 * its disparity further to the left in the right view.
 *
 * <pre>{@code
 * x_left - x_right = focal baseline / depth - offset
 * }</pre>
 *
 * <p>The arrays are not copied.
 *
 * @param channels 1 for grey, 3 for colours
 * @param height rows
 * @param width columns
 * @param left view, [channels, height, width], black 0 and white 1
 * @param right the other view, of the same shape
 * @param depth of the left view's pixels, [height, width], in the unit of the baseline; NaN where
 *     it is not known
 * @param camera of both views
 */
record StereoPair(
    int channels,
    int height,
    int width,
    float[] left,
    float[] right,
    float[] depth,
    Camera camera) {

  /**
   * Where points are seen.
   *
   * @param focal focal length in pixels
   * @param baseline from one camera to the other, in the unit of depth
   * @param offset by how many pixels the principal point of the right view lies further to the
   *     right than that of the left one
   */
  record Camera(double focal, double baseline, double offset) {
    /** The camera of pictures that are reduced. */
    Camera reduced(int scale) {
      return new Camera(focal / scale, baseline, offset / scale);
    }

    double depth(double disparity) {
      return focal * baseline / (disparity + offset);
    }
  }

  /** Some of the rows, in all columns. */
  StereoPair rows(int top, int count) {
    float[] newLeft = new float[channels * count * width];
    float[] newRight = new float[newLeft.length];
    for (int channel = 0; channel < channels; channel++) {
      int from = (channel * height + top) * width;
      System.arraycopy(left, from, newLeft, channel * count * width, count * width);
      System.arraycopy(right, from, newRight, channel * count * width, count * width);
    }
    float[] newDepth = new float[count * width];
    System.arraycopy(depth, top * width, newDepth, 0, newDepth.length);
    return new StereoPair(channels, count, width, newLeft, newRight, newDepth, camera);
  }

  /**
   * The scene in a mirror: the mirrored right view is what a left camera sees there. Its depth is
   * not known.
   */
  StereoPair mirrored() {
    float[] unknown = new float[depth.length];
    Arrays.fill(unknown, Float.NaN);
    return new StereoPair(
        channels, height, width, mirrored(right), mirrored(left), unknown, camera);
  }

  private float[] mirrored(float[] view) {
    float[] mirrored = new float[view.length];
    for (int at = 0; at < view.length; at++) {
      mirrored[at] = view[at / width * width + width - 1 - at % width];
    }
    return mirrored;
  }
}
