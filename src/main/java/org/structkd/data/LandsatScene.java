package org.structkd.data;

import java.awt.image.Raster;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * The bundled scene as planes of one grid, and the class of every pixel by rules.
 *
 * @param height rows
 * @param width columns
 * @param planes by {@link LandsatBand}, row by row: intensities 0 to 1, the elevation in units of
 *     100 m
 * @param labels class of each pixel, see {@link #label}
 */
record LandsatScene(int height, int width, float[][] planes, byte[] labels) {
  static final byte WATER = 0;
  static final byte VEGETATION = 1;
  static final byte BUILT_UP = 2;
  static final byte OTHER = 3;

  private static final String FOLDER = "landsat/";
  private static final String SCENE = "L7_ETMs.tif";
  private static final String ELEVATION = "olinda_dem_utm25s.tif";

  /** Metres that a pixel of the scene and one of the elevation have; both begin in one corner. */
  static final double SCENE_METRES = 28.5;

  static final double ELEVATION_METRES = 89.99406734945116;

  /** The highest place has 88 m: in this unit the plane has the range of the others. */
  private static final float UNIT_METRES = 100;

  private static final float WHITE = 255;

  /** Reads the files of this library, at each call. */
  static LandsatScene bundled() {
    try {
      return of(read(SCENE, 6), read(ELEVATION, 1));
    } catch (IOException e) {
      throw new UncheckedIOException("the bundled scene cannot be read: broken jar?", e);
    }
  }

  private static Raster read(String name, int bands) throws IOException {
    String resource = FOLDER + name;
    try (InputStream in = LandsatScene.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new DataFileException(resource, "a resource of this library", "nothing");
      }
      // In memory: ImageIO would else keep a copy in a file of its own.
      Raster raster = ImageIO.read(new MemoryCacheImageInputStream(in)).getData();
      if (raster.getNumBands() != bands) {
        throw new DataFileException(resource, bands + " bands", raster.getNumBands() + "");
      }
      return raster;
    }
  }

  private static LandsatScene of(Raster scene, Raster elevation) {
    int height = scene.getHeight();
    int width = scene.getWidth();
    float[][] planes = new float[LandsatBand.values().length][height * width];
    byte[] labels = new byte[height * width];
    int[] pixel = new int[scene.getNumBands()];
    for (int at = 0; at < labels.length; at++) {
      int row = at / width;
      int column = at % width;
      scene.getPixel(column, row, pixel);
      for (LandsatBand band : LandsatBand.values()) {
        planes[band.ordinal()][at] =
            band == LandsatBand.ELEVATION
                ? metres(elevation, row, column) / UNIT_METRES
                : pixel[band.place] / WHITE;
      }
      labels[at] =
          label(
              pixel[LandsatBand.GREEN.place],
              pixel[LandsatBand.RED.place],
              pixel[LandsatBand.NIR.place],
              pixel[LandsatBand.SWIR1.place]);
    }
    return new LandsatScene(height, width, planes, labels);
  }

  /** {@return the elevation in the middle of a pixel of the scene, bilinear between its own} */
  static float metres(Raster elevation, int row, int column) {
    double y = within((row + 0.5) * SCENE_METRES / ELEVATION_METRES - 0.5, elevation.getHeight());
    double x = within((column + 0.5) * SCENE_METRES / ELEVATION_METRES - 0.5, elevation.getWidth());
    int top = (int) Math.min(y, elevation.getHeight() - 2);
    int left = (int) Math.min(x, elevation.getWidth() - 2);
    double above = between(elevation, top, left, x - left);
    double below = between(elevation, top + 1, left, x - left);
    return (float) (above + (y - top) * (below - above));
  }

  private static double between(Raster elevation, int row, int left, double share) {
    double first = elevation.getSampleDouble(left, row, 0);
    return first + share * (elevation.getSampleDouble(left + 1, row, 0) - first);
  }

  /**
   * Half a pixel of the border lies beyond the middle of the outermost one: that one holds there.
   */
  private static double within(double place, int size) {
    return Math.max(0, Math.min(size - 1, place));
  }

  /**
   * {@return the class of a pixel: the first rule that holds}
   *
   * <pre>{@code
   * water       (green - nir) / (green + nir) > 0.2       NDWI, McFeeters 1996
   * vegetation  (nir - red)   / (nir + red)   > 0.25      NDVI, Rouse et al. 1974
   * built-up    (swir1 - nir) / (swir1 + nir) > 0.05      NDBI, Zha et al. 2003
   * other
   * }</pre>
   *
   * <p>The thresholds are ours, for levels of the file, which are no reflectances.
   */
  static byte label(int green, int red, int nir, int swir1) {
    if (index(green, nir) > 0.2) {
      return WATER;
    }
    if (index(nir, red) > 0.25) {
      return VEGETATION;
    }
    return index(swir1, nir) > 0.05 ? BUILT_UP : OTHER;
  }

  private static double index(int a, int b) {
    return a + b == 0 ? 0 : (double) (a - b) / (a + b);
  }
}
