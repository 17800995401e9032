package org.structkd.data;

import java.io.IOException;

/** Where the pairs of {@link StereoDataset} come from. */
public enum StereoSource {
  /**
   * Made scenes, 64 x 96 and grey: garments of Fashion-MNIST that stand on the floor of a room, as
   * many as are asked for, see {@link MadeStereo}.
   */
  MADE,

  /**
   * One photographed pair with measured disparity, the motorcycle of Middlebury's stereo data of
   * 2014, which {@code ./structkd data motorcycle} fetches: five blocks of whole rows, three to
   * train, one to validate, one to test.
   */
  MOTORCYCLE;

  /** Loads it. */
  StereoScenes scenes(int scale) throws IOException {
    return this == MADE
        ? new MadeStereo(FashionScenes.bundled())
        : Motorcycle.of(DataCache.ofUser().require(Motorcycle.DATA), scale);
  }
}
