package org.structkd.loss;

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
public record SamplingConfig(
    Sampling strategy,
    int samples,
    boolean teacherCorrectOnly,
    MinorityFill fill,
    int minCandidates,
    long ignoreIndex,
    Draw draw) {
  private static final String NAME = "global structural sampling";

  /** Checks that the rule is complete and possible. */
  public SamplingConfig {
    if (strategy == null || fill == null || draw == null) {
      throw new IllegalArgumentException(
          NAME
              + ": no part may be null: strategy "
              + strategy
              + ", fill "
              + fill
              + ", draw "
              + draw);
    }
    int least = strategy == Sampling.RANDOM_GRID ? 4 : strategy == Sampling.ALL ? 0 : 1;
    requireAtLeast("samples", samples, least);
    requireAtLeast("minCandidates", minCandidates, 1);
  }

  private static void requireAtLeast(String part, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(
          NAME + ": " + part + " is " + value + ", expected at least " + least);
    }
  }

  /**
   * Eight correct pixels of each class, short classes filled from others; labels 255 and -1, the
   * two customs of data sets for pixels without a class, are ignored.
   */
  public static SamplingConfig standard() {
    return new SamplingConfig(
        Sampling.CLASS_BALANCED, 8, true, MinorityFill.OTHER_CLASSES, 1, 255, Draw.RANDOM);
  }

  /** All pixels of the image, labels or not: for maps that are small already. */
  public static SamplingConfig all() {
    return standard().withStrategy(Sampling.ALL, 0).withTeacherCorrectOnly(false);
  }

  /** Random pixels without labels, as for classification networks. */
  public static SamplingConfig random(int samples) {
    return standard().withStrategy(Sampling.RANDOM, samples).withTeacherCorrectOnly(false);
  }

  /** The same rule with another strategy and number of samples. */
  public SamplingConfig withStrategy(Sampling strategy, int samples) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule with another number of samples. */
  public SamplingConfig withSamples(int samples) {
    return withStrategy(strategy, samples);
  }

  /** The same rule with or without pixels that the teacher gets wrong. */
  public SamplingConfig withTeacherCorrectOnly(boolean teacherCorrectOnly) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule with another fill. */
  public SamplingConfig withFill(MinorityFill fill) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule with another least number of candidates. */
  public SamplingConfig withMinCandidates(int minCandidates) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule with another label ignored. */
  public SamplingConfig withIgnoreIndex(long ignoreIndex) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }

  /** The same rule in another order. */
  public SamplingConfig withDraw(Draw draw) {
    return new SamplingConfig(
        strategy, samples, teacherCorrectOnly, fill, minCandidates, ignoreIndex, draw);
  }
}
