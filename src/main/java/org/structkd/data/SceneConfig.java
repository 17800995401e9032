package org.structkd.data;

/**
 * How scenes are composed.
 *
 * @param seed any number; another seed gives other scenes of the same kind
 * @param minGarments fewest garments of a scene, 1 or more
 * @param maxGarments most garments of a scene, {@code minGarments} to 64
 * @param noise standard deviation of the noise, 0 to 1, in units of the intensity (black 0, white
 *     1)
 */
public record SceneConfig(long seed, int minGarments, int maxGarments, float noise) {
  /** Most garments that a scene can have. */
  public static final int GARMENT_LIMIT = 64;

  /**
   * Checks the values.
   *
   * @param seed any number
   * @param minGarments 1 or more
   * @param maxGarments {@code minGarments} to 64
   * @param noise 0 to 1
   * @throws IllegalArgumentException if one is out of its range; names it and both
   */
  public SceneConfig {
    if (minGarments < 1 || minGarments > GARMENT_LIMIT) {
      throw new IllegalArgumentException(
          "minGarments must be 1 to " + GARMENT_LIMIT + " but is " + minGarments);
    }
    if (maxGarments < minGarments || maxGarments > GARMENT_LIMIT) {
      throw new IllegalArgumentException(
          "maxGarments must be minGarments (%s) to %s but is %s"
              .formatted(minGarments, GARMENT_LIMIT, maxGarments));
    }
    if (!(noise >= 0 && noise <= 1)) { // also refuses NaN
      throw new IllegalArgumentException("noise must be 0 to 1 but is " + noise);
    }
  }

  /** {@return the settings of the project's examples: seed 1, 2 to 4 garments, noise 0.1} */
  public static SceneConfig defaults() {
    return new SceneConfig(1, 2, 4, 0.1f);
  }

  /**
   * {@return these settings with another seed}
   *
   * @param seed any number
   */
  public SceneConfig withSeed(long seed) {
    return new SceneConfig(seed, minGarments, maxGarments, noise);
  }

  /**
   * {@return these settings with another number of garments per scene}
   *
   * @param min fewest, 1 or more
   * @param max most, {@code min} to 64
   */
  public SceneConfig withGarments(int min, int max) {
    return new SceneConfig(seed, min, max, noise);
  }

  /**
   * {@return these settings with other noise}
   *
   * @param noise standard deviation, 0 to 1
   */
  public SceneConfig withNoise(float noise) {
    return new SceneConfig(seed, minGarments, maxGarments, noise);
  }
}
