package org.structkd.loss;

import org.structkd.internal.Settings;

/**
 * Which pixels of an image {@link GlobalStructuralLoss} compares. Candidates are the pixels that
 * carry a label (all, where no labels are given) and, if asked for, that the teacher classifies as
 * labelled.
 *
 * @param strategy how candidates are chosen
 * @param samples per class (CLASS_BALANCED) or per image (RANDOM, RANDOM_GRID: at least 4, a
 *     quarter for each quadrant), at least 1; unused with ALL
 * @param teacherCorrectOnly whether pixels that the teacher gets wrong are left out; needs labels
 * @param fill what happens to a class with too few candidates
 * @param minCandidates a class (quadrant, image) with fewer candidates gives no sample, at least 1
 * @param ignoreIndex label of pixels that are no candidates, usually 255; nor are those of -1
 * @param draw random, or the first in row-major order
 */
public record Sampling(
    Strategy strategy,
    int samples,
    boolean teacherCorrectOnly,
    Fill fill,
    int minCandidates,
    long ignoreIndex,
    Draw draw) {
  private static final String NAME = "global structural sampling";

  /** Which pixels of an image {@link GlobalStructuralLoss} compares. */
  public enum Strategy {
    /** Each class that is present gives as many pixels. */
    CLASS_BALANCED,
    /** Each quadrant of the map gives a quarter of the samples. */
    RANDOM_GRID,
    /** Samples lie anywhere in the image. */
    RANDOM,
    /** Every candidate is compared, in row-major order. */
    ALL
  }

  /** What happens to a class (quadrant, image) with fewer candidates than it should give. */
  public enum Fill {
    /**
     * It gives all of its own, then candidates of other classes; where those run out too, repeats
     * of them, or of its own if there are no others.
     */
    OTHER_CLASSES,
    /** It gives all of its own, then random repeats of them. */
    WITH_REPLACEMENT,
    /** It gives no sample. */
    SKIP
  }

  /** The order in which candidates are taken. */
  public enum Draw {
    /** Keys from seed, step, image and pixel decide: the same on every machine. */
    RANDOM,
    /** The first in row-major order are taken, to compare with stored numbers. */
    RASTER
  }

  /** Checks that the rule is complete and possible. */
  public Sampling {
    Settings.requireGiven(NAME, "strategy", strategy);
    Settings.requireGiven(NAME, "fill", fill);
    Settings.requireGiven(NAME, "draw", draw);
    int least = strategy == Strategy.RANDOM_GRID ? 4 : strategy == Strategy.ALL ? 0 : 1;
    Settings.requireCount(NAME, "samples", samples, least);
    Settings.requireCount(NAME, "minCandidates", minCandidates, 1);
  }

  /**
   * Eight correct pixels of each class, short classes filled from others; labels 255 and -1, the
   * two customs of data sets for pixels without a class, are ignored.
   */
  public static Sampling standard() {
    return new Sampling(Strategy.CLASS_BALANCED, 8, true, Fill.OTHER_CLASSES, 1, 255, Draw.RANDOM);
  }

  /** All pixels of the image, labels or not: for maps that are small already. */
  public static Sampling all() {
    return standard().withStrategy(Strategy.ALL, 0).withTeacherCorrectOnly(false);
  }

  /** Random pixels without labels, as for classification networks. */
  public static Sampling random(int samples) {
    return standard().withStrategy(Strategy.RANDOM, samples).withTeacherCorrectOnly(false);
  }

  /** The same rule with another strategy and number of samples. */
  public Sampling withStrategy(Strategy strategy, int samples) {
    return new Sampling(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule with another number of samples. */
  public Sampling withSamples(int samples) {
    return Settings.with(this, "samples", samples);
  }

  /** The same rule with or without pixels that the teacher gets wrong. */
  public Sampling withTeacherCorrectOnly(boolean teacherCorrectOnly) {
    return Settings.with(this, "teacherCorrectOnly", teacherCorrectOnly);
  }

  /** The same rule with another fill. */
  public Sampling withFill(Fill fill) {
    return Settings.with(this, "fill", fill);
  }

  /** The same rule with another least number of candidates. */
  public Sampling withMinCandidates(int minCandidates) {
    return Settings.with(this, "minCandidates", minCandidates);
  }

  /** The same rule with another label ignored. */
  public Sampling withIgnoreIndex(long ignoreIndex) {
    return Settings.with(this, "ignoreIndex", ignoreIndex);
  }

  /** The same rule in another order. */
  public Sampling withDraw(Draw draw) {
    return Settings.with(this, "draw", draw);
  }
}
