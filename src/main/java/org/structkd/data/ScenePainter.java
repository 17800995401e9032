package org.structkd.data;

import java.util.ArrayList;
import java.util.List;
import org.structkd.internal.CounterRandom;

/**
 * Turns the key of a scene into garments at places, and these into pixels and labels.
 *
 * @param size height and width of the scenes
 */
record ScenePainter(SourceImages sources, SceneConfig config, int size) {
  /** Grey values from here on are garment; what is darker is the backdrop of its photograph. */
  static final int PAINT_THRESHOLD = 16;

  /** How far a garment may stick out: by half, so its centre always lies in the scene. */
  private static final int OUTSIDE = SourceImages.SIZE / 2;

  /** Counters 0 and 1 of a scene's key; then come three for each garment. */
  private static final int GARMENT_COUNT = 0;

  private static final int NOISE_KEY = 1;
  private static final int FIRST_GARMENT = 2;

  /**
   * One garment of a scene.
   *
   * @param image source image
   * @param top row of its upper edge in the scene, -14 to its size - 14
   * @param left column of its left edge, the same
   */
  record Placement(int image, int top, int left) {}

  /** {@return the garments of a scene in the order of painting: later ones hide earlier ones} */
  List<Placement> placements(long key) {
    int spread = config.maxGarments() - config.minGarments() + 1;
    int count = config.minGarments() + CounterRandom.below(spread, key, GARMENT_COUNT);
    int places = size - SourceImages.SIZE + 2 * OUTSIDE + 1;
    List<Placement> placements = new ArrayList<>(count);
    for (int g = 0; g < count; g++) {
      int counter = FIRST_GARMENT + 3 * g;
      placements.add(
          new Placement(
              CounterRandom.below(sources.count(), key, counter),
              CounterRandom.below(places, key, counter + 1) - OUTSIDE,
              CounterRandom.below(places, key, counter + 2) - OUTSIDE));
    }
    return placements;
  }

  /** Paints one scene into a range of arrays that holds zeros. */
  void paint(long key, float[] image, byte[] labels, int offset) {
    compose(key, image, labels, offset);
    addNoise(key, image, offset, size * size);
  }

  /** Paints one scene without noise. */
  void compose(long key, float[] image, byte[] labels, int offset) {
    for (Placement placement : placements(key)) {
      paint(placement, image, labels, offset);
    }
  }

  /** Adds the noise of a scene to a picture of it, of any size. */
  void addNoise(long key, float[] image, int offset, int count) {
    GaussianNoise.add(config.noise(), CounterRandom.bits(key, NOISE_KEY), image, offset, count);
  }

  private void paint(Placement at, float[] image, byte[] labels, int offset) {
    byte label = (byte) (sources.label(at.image()) + 1); // 0 is the background
    int rowEnd = Math.min(SourceImages.SIZE, size - at.top());
    int columnEnd = Math.min(SourceImages.SIZE, size - at.left());
    for (int row = Math.max(0, -at.top()); row < rowEnd; row++) {
      int line = offset + (at.top() + row) * size + at.left();
      for (int column = Math.max(0, -at.left()); column < columnEnd; column++) {
        int grey = sources.pixel(at.image(), row, column);
        if (grey >= PAINT_THRESHOLD) {
          image[line + column] = grey / 255f;
          labels[line + column] = label;
        }
      }
    }
  }
}
