package org.structkd.loss;

import java.util.function.Consumer;

/**
 * One variant of {@link GlobalStructuralLoss}: what is compared and how. Start from {@link
 * #standard()} or {@link #authorsReleased()} and change what differs. Which pixels are drawn is
 * told by a {@link SamplingConfig}.
 *
 * @param sampling which pixels are drawn
 * @param groupWidth columns of a group: a width where positive; where negative, its absolute value
 *     times the number of classes of the image; 0 or more than the samples: see the loss
 * @param temperature greater than 0
 * @param similarity what the student's rows are multiplied with
 * @param shuffle how columns are permuted
 * @param comparison how groups are compared
 * @param reduction divisor of a group's divergence; GROUP_DIVERGENCE only
 * @param remainder what the columns behind the last full group count
 * @param batch how images make one value
 * @param eps length up to which a feature vector counts as zero, greater than 0
 * @param seed of samples and permutations
 * @param precision how exact the kernel computes
 */
public record GlobalStructuralConfig(
    SamplingConfig sampling,
    long groupWidth,
    double temperature,
    Similarity similarity,
    Shuffle shuffle,
    GroupComparison comparison,
    GroupReduction reduction,
    Remainder remainder,
    BatchRule batch,
    double eps,
    long seed,
    Precision precision) {
  private static final String NAME = "global structural loss";

  /** Checks that the variant is complete and possible. */
  public GlobalStructuralConfig {
    requireGiven("sampling", sampling);
    requireGiven("similarity", similarity);
    requireGiven("shuffle", shuffle);
    requireGiven("comparison", comparison);
    requireGiven("reduction", reduction);
    requireGiven("remainder", remainder);
    requireGiven("batch", batch);
    requireGiven("precision", precision);
    requirePositive("temperature", temperature);
    requirePositive("eps", eps);
    if (groupWidth < -1_000_000_000L) {
      throw new IllegalArgumentException(
          NAME + ": groupWidth is " + groupWidth + ", expected at least -1000000000");
    }
  }

  private static void requireGiven(String part, Object value) {
    if (value == null) {
      throw new IllegalArgumentException(NAME + ": " + part + " is null");
    }
  }

  private static void requirePositive(String part, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          NAME + ": " + part + " is " + value + ", expected a finite number greater than 0");
    }
  }

  /**
   * Class-balanced samples, 8 per class, on pixels the teacher gets right; as many groups as
   * samples per class; the true divergence of each; mean over images. A usual loss weight is 1 to
   * 10.
   */
  public static GlobalStructuralConfig standard() {
    return new GlobalStructuralConfig(
        SamplingConfig.standard(),
        -1,
        1.0,
        Similarity.SELF,
        Shuffle.ROW_INDEPENDENT,
        GroupComparison.GROUP_DIVERGENCE,
        GroupReduction.SUM,
        Remainder.AVERAGED,
        BatchRule.MEAN,
        1e-8,
        0,
        Precision.EXACT);
  }

  /**
   * The formula of the released code, MaryAhn/GSKD at 641ddeb: divided by the entries of a group,
   * remaining columns added, the last image alone, classes of one pixel skipped. That code
   * scrambles features and gives the student no gradient; here features are read correctly and the
   * gradient flows. Its loss weights are 2 to 10.
   */
  public static GlobalStructuralConfig authorsReleased() {
    return standard()
        .withSampling(SamplingConfig.standard().withMinCandidates(2))
        .withReduction(GroupReduction.DIV_L)
        .withRemainder(Remainder.ADDED)
        .withBatch(BatchRule.LAST_IMAGE);
  }

  /** The same variant with other samples. */
  public GlobalStructuralConfig withSampling(SamplingConfig sampling) {
    return changed(parts -> parts.sampling = sampling);
  }

  /** The same variant with groups of another width. */
  public GlobalStructuralConfig withGroupWidth(long groupWidth) {
    return changed(parts -> parts.groupWidth = groupWidth);
  }

  /** The same variant at another temperature. */
  public GlobalStructuralConfig withTemperature(double temperature) {
    return changed(parts -> parts.temperature = temperature);
  }

  /** The same variant with another similarity. */
  public GlobalStructuralConfig withSimilarity(Similarity similarity) {
    return changed(parts -> parts.similarity = similarity);
  }

  /** The same variant with another shuffle. */
  public GlobalStructuralConfig withShuffle(Shuffle shuffle) {
    return changed(parts -> parts.shuffle = shuffle);
  }

  /** The same variant with another comparison. */
  public GlobalStructuralConfig withComparison(GroupComparison comparison) {
    return changed(parts -> parts.comparison = comparison);
  }

  /** The same variant with another divisor. */
  public GlobalStructuralConfig withReduction(GroupReduction reduction) {
    return changed(parts -> parts.reduction = reduction);
  }

  /** The same variant with another rule for remaining columns. */
  public GlobalStructuralConfig withRemainder(Remainder remainder) {
    return changed(parts -> parts.remainder = remainder);
  }

  /** The same variant with another rule for the batch. */
  public GlobalStructuralConfig withBatch(BatchRule batch) {
    return changed(parts -> parts.batch = batch);
  }

  /** The same variant with another limit of zero vectors. */
  public GlobalStructuralConfig withEps(double eps) {
    return changed(parts -> parts.eps = eps);
  }

  /** The same variant with other draws. */
  public GlobalStructuralConfig withSeed(long seed) {
    return changed(parts -> parts.seed = seed);
  }

  /** The same variant computed more or less exactly. */
  public GlobalStructuralConfig withPrecision(Precision precision) {
    return changed(parts -> parts.precision = precision);
  }

  private GlobalStructuralConfig changed(Consumer<Parts> change) {
    Parts parts = new Parts(this);
    change.accept(parts);
    return parts.whole();
  }

  /** The variant taken apart, so that each {@code with} method names only what it changes. */
  private static final class Parts {
    SamplingConfig sampling;
    long groupWidth;
    double temperature;
    Similarity similarity;
    Shuffle shuffle;
    GroupComparison comparison;
    GroupReduction reduction;
    Remainder remainder;
    BatchRule batch;
    double eps;
    long seed;
    Precision precision;

    Parts(GlobalStructuralConfig config) {
      sampling = config.sampling;
      groupWidth = config.groupWidth;
      temperature = config.temperature;
      similarity = config.similarity;
      shuffle = config.shuffle;
      comparison = config.comparison;
      reduction = config.reduction;
      remainder = config.remainder;
      batch = config.batch;
      eps = config.eps;
      seed = config.seed;
      precision = config.precision;
    }

    GlobalStructuralConfig whole() {
      return new GlobalStructuralConfig(
          sampling,
          groupWidth,
          temperature,
          similarity,
          shuffle,
          comparison,
          reduction,
          remainder,
          batch,
          eps,
          seed,
          precision);
    }
  }
}
