package org.structkd.metric;

/**
 * A colour map that also reads without colours: it becomes brighter all the way. Nine colours of
 * "viridis" by S. van der Walt and N. Smith, which is in the public domain (CC0), and straight
 * lines between them.
 */
final class DepthColours {
  private static final int[] COLOURS = {
    0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30, 0xfde725
  };

  private static final int UNKNOWN = 0x000000;

  private DepthColours() {}

  /** {@return 0xRRGGBB of a number from 0 to 1; what is beyond has the last colour, NaN black} */
  static int of(double share) {
    if (Double.isNaN(share)) {
      return UNKNOWN;
    }
    double place = Math.max(0, Math.min(1, share)) * (COLOURS.length - 1);
    int first = Math.min((int) place, COLOURS.length - 2);
    double rest = place - first;
    int colour = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
      int a = COLOURS[first] >> shift & 255;
      int b = COLOURS[first + 1] >> shift & 255;
      colour |= (int) Math.rint(a + rest * (b - a)) << shift;
    }
    return colour;
  }
}
