package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.structkd.internal.CounterRandom;

/**
 * One photographed stereo pair with measured disparity, in five blocks of whole rows. A pair is
 * rectified, so what a row of the left view sees lies in the same row of the right one: no pixel of
 * either serves two splits. What the left view sees at its left edge lies outside of the right
 * view, as in any pair.
 *
 * <p>Source: D. Scharstein et al., "High-Resolution Stereo Datasets with Subpixel-Accurate Ground
 * Truth", GCPR 2014.
 */
final class Motorcycle implements StereoScenes {
  private static final String FOLDER = "usr/lib/python3/dist-packages/skimage/data/";
  private static final String LEFT = "motorcycle_left.png";
  private static final String RIGHT = "motorcycle_right.png";
  private static final String DISPARITY = "motorcycle_disp.npz";

  /** By scikit-image's documentation of the pair, in pixels and metres. */
  private static final StereoPair.Camera CAMERA = new StereoPair.Camera(994.978, 0.193001, 31.086);

  /** Sums of the files in python3-skimage 0.19.3-8 of Debian 12. */
  static final PackagedData DATA =
      new PackagedData(
          "motorcycle",
          "A stereo pair of photographs with measured disparity, 741 x 500, for depth.",
          "BSD-3-Clause as a collection (Debian's copyright file); the pair is of Middlebury's stereo"
              + " data of 2014, whose authors ask to be cited.",
          "python3-skimage",
          "20.7 MB",
          List.of(
              item(LEFT, "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
              item(RIGHT, "5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797"),
              item(DISPARITY, "2e49c8cebff3fa20359a0cc6880c82e1c03bbb106da81a177218281bc2f113d7")),
          Motorcycle::convert);

  /** What each block of rows is for, from the top. */
  private static final List<Split> BLOCKS =
      List.of(Split.TRAIN, Split.TEST, Split.TRAIN, Split.VALIDATION, Split.TRAIN);

  private final int height;
  private final Map<Split, List<StereoPair>> blocks;

  private Motorcycle(int height, Map<Split, List<StereoPair>> blocks) {
    this.height = height;
    this.blocks = blocks;
  }

  private static PackagedData.Item item(String name, String sha256) {
    return new PackagedData.Item(FOLDER + name, sha256);
  }

  /** The files are kept as they are. */
  private static void convert(Path root, Path into) throws IOException {
    for (PackagedData.Item item : DATA.files()) {
      Path file = root.resolve(item.path());
      Files.copy(file, into.resolve(file.getFileName().toString()));
    }
  }

  /**
   * Reads the pair.
   *
   * @param scale by which it is reduced
   * @throws DataFileException if a file is missing, views and disparity differ in size, a disparity
   *     is not above 0, or too few rows are left
   */
  static Motorcycle of(Path folder, int scale) throws IOException {
    StereoPair pair = pair(folder, scale);
    int height = pair.height() / BLOCKS.size() / StereoDataset.STRIDE * StereoDataset.STRIDE;
    if (height == 0) {
      throw new DataFileException(
          folder.toString(),
          "%s rows or more at a scale of %s".formatted(BLOCKS.size() * StereoDataset.STRIDE, scale),
          Integer.toString(pair.height()));
    }
    Map<Split, List<StereoPair>> blocks = new EnumMap<>(Split.class);
    for (int block = 0; block < BLOCKS.size(); block++) {
      blocks
          .computeIfAbsent(BLOCKS.get(block), split -> new ArrayList<>())
          .add(pair.rows(block * height, height));
    }
    return new Motorcycle(height, blocks);
  }

  private static StereoPair pair(Path folder, int scale) throws IOException {
    Picture left = Photos.read(folder.resolve(LEFT));
    Picture right = Photos.read(folder.resolve(RIGHT));
    requireSize(folder.resolve(RIGHT), left, right.height(), right.width());
    NpzFile disparity = NpzFile.read(folder.resolve(DISPARITY));
    requireSize(folder.resolve(DISPARITY), left, disparity.height(), disparity.width());
    boolean measured = false;
    for (float d : disparity.elements()) {
      measured |= Float.isFinite(d);
      if (d <= 0) { // NaN and infinity mark what was not measured
        throw new DataFileException(
            folder.resolve(DISPARITY).toString(), "disparities above 0", Float.toString(d));
      }
    }
    if (!measured) {
      throw new DataFileException(
          folder.resolve(DISPARITY).toString(), "disparities that are finite", "none");
    }
    int height = left.height() / scale;
    int width = left.width() / scale / StereoDataset.STRIDE * StereoDataset.STRIDE;
    return new StereoPair(
        left.channels(),
        height,
        width,
        intensities(left, scale, width),
        intensities(right, scale, width),
        depth(disparity, scale, height, width),
        CAMERA.reduced(scale));
  }

  private static void requireSize(Path file, Picture left, int height, int width)
      throws DataFileException {
    if (height != left.height() || width != left.width()) {
      throw new DataFileException(
          file.toString(),
          "%s x %s as the left view".formatted(left.height(), left.width()),
          height + " x " + width);
    }
  }

  /** The reduced view without its last columns. */
  private static float[] intensities(Picture view, int scale, int width) {
    Picture trimmed = view.trimmed(scale);
    Picture reduced = trimmed.resized(trimmed.height() / scale, trimmed.width() / scale);
    float[] intensities = new float[reduced.channels() * reduced.height() * width];
    for (int at = 0; at < intensities.length; at++) {
      int from = at / width * reduced.width() + at % width;
      intensities[at] = (reduced.levels()[from] & 255) / (float) Picture.WHITE;
    }
    return intensities;
  }

  /** The median of the pixels that a reduced one covers: a mean would lie between two surfaces. */
  private static float[] depth(NpzFile disparity, int scale, int height, int width) {
    StereoPair.Camera camera = CAMERA.reduced(scale);
    float[] depth = new float[height * width];
    float[] covered = new float[scale * scale];
    for (int at = 0; at < depth.length; at++) {
      for (int i = 0; i < covered.length; i++) {
        int row = at / width * scale + i / scale;
        covered[i] = disparity.elements()[row * disparity.width() + at % width * scale + i % scale];
      }
      Arrays.sort(covered); // what was not measured comes last
      boolean known = Float.isFinite(covered[covered.length - 1]);
      float median = covered[(covered.length - 1) / 2] / scale;
      depth[at] = known ? (float) camera.depth(median) : Float.NaN;
    }
    return depth;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public int channels() {
    return 3;
  }

  @Override
  public StereoPair training(long key) {
    List<StereoPair> all = blocks.get(Split.TRAIN);
    return all.get(CounterRandom.below(all.size(), key, 0));
  }

  @Override
  public int count(Split split) {
    return blocks.get(split).size();
  }

  @Override
  public StereoPair example(Split split, int index) {
    return blocks.get(split).get(index);
  }
}
