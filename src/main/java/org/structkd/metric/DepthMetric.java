package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.data.StereoDataset;
import org.structkd.internal.Settings;

/**
 * How far depths are from the true ones: the errors of {@link DepthErrors}, of which abs_rel leads,
 * and by how much abs_rel is below that of the true median depth everywhere; each a mean over
 * images.
 *
 * <p>As in the field: pixels whose true depth is known and at most {@code cap} count; answers are
 * scaled so that their median there is that of the truth, unless {@link Scaling#NONE}, and then
 * clipped to 0.001 .. cap. An answer that is NaN gives NaN.
 *
 * @param on tap with depths [B, 1, H, W], in metres unless they are scaled
 * @param scaling whether answers are scaled
 * @param cap greatest true depth that counts, in metres; above 0
 */
public record DepthMetric(String on, Scaling scaling, double cap) implements Metric {
  private static final String NAME = "depth metric";
  private static final String LEADING = "abs_rel";

  /** Least depth of an answer, in metres: that of the usual codes. */
  private static final double LEAST = 1e-3;

  /** Least difference between nearest and farthest in pictures, so that a wall has a colour. */
  private static final double FLAT = 1e-12;

  /** Whether answers are scaled before they are judged. */
  public enum Scaling {
    /** By the medians of each image: what a video cannot tell is not judged. */
    MEDIAN,
    /** Answers are depths in metres. */
    NONE
  }

  /** Checks the number. */
  public DepthMetric {
    Settings.requireGiven(NAME, "scaling", scaling);
    Settings.requirePositive(NAME, "cap", cap);
  }

  @Override
  public Set<String> taps() {
    return Set.of(on);
  }

  @Override
  public String leading() {
    return LEADING;
  }

  @Override
  public Count count() {
    return new Errors();
  }

  private final class Errors implements Count {
    private final List<DepthErrors> errors = new ArrayList<>();
    private double constant;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      Tensor truth = batch.target(StereoDataset.DEPTH);
      Tensor answer = Taps.output(NAME, outputs, on, truth.shape());
      int count = (int) truth.size(0);
      double[] answers = Elements.of(answer);
      double[] truths = Elements.of(truth);
      int plane = truths.length / count;
      List<Judged> images = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        images.add(
            judged(
                Arrays.copyOfRange(answers, i * plane, (i + 1) * plane),
                Arrays.copyOfRange(truths, i * plane, (i + 1) * plane)));
      }
      for (Judged image : images) {
        errors.add(DepthErrors.of(image.depths, image.truths));
        double[] medians = new double[image.truths.length];
        Arrays.fill(medians, DepthErrors.median(image.truths));
        constant += DepthErrors.of(medians, image.truths).absRel();
      }
    }

    @Override
    public Score score() {
      if (errors.isEmpty()) {
        throw new IllegalStateException("no depth was counted, so there is no score");
      }
      double[] sums = new double[7];
      for (DepthErrors one : errors) {
        double[] numbers = {
          one.absRel(),
          one.sqRel(),
          one.rmse(),
          one.rmseLog(),
          one.delta()[0],
          one.delta()[1],
          one.delta()[2]
        };
        for (int i = 0; i < sums.length; i++) {
          sums[i] += numbers[i] / errors.size();
        }
      }
      return new Score(
          List.of(
              new Score.Number(LEADING, "abs rel", sums[0], "", false),
              new Score.Number("sq_rel", "sq rel", sums[1], "m", false),
              new Score.Number("rmse", "RMSE", sums[2], "m", false),
              new Score.Number("rmse_log", "RMSE log", sums[3], "", false),
              new Score.Number("delta1", "δ < 1.25", sums[4], "", true),
              new Score.Number("delta2", "δ < 1.25²", sums[5], "", true),
              new Score.Number("delta3", "δ < 1.25³", sums[6], "", true),
              new Score.Number(
                  "gain", "gain over the median", constant / errors.size() - sums[0], "", true)));
    }
  }

  /** The pixels of an image that count, answers scaled, and by how much they were. */
  private record Judged(double[] depths, double[] truths, double factor) {}

  private Judged judged(double[] answers, double[] truths) {
    int[] counted = IntStream.range(0, truths.length).filter(at -> counts(truths[at])).toArray();
    if (counted.length == 0) {
      throw new IllegalArgumentException(
          NAME + ": an image has no pixel with a true depth up to cap, which is " + cap);
    }
    double[] depths = IntStream.of(counted).mapToDouble(at -> answers[at]).toArray();
    double[] known = IntStream.of(counted).mapToDouble(at -> truths[at]).toArray();
    double factor =
        scaling == Scaling.NONE ? 1 : DepthErrors.median(known) / DepthErrors.median(depths);
    for (int i = 0; i < depths.length; i++) {
      depths[i] = Math.max(LEAST, Math.min(cap, factor * depths[i])); // NaN stays
    }
    return new Judged(depths, known, factor);
  }

  private boolean counts(double truth) {
    return truth > 0 && truth <= cap; // false for NaN
  }

  /** {@inheritDoc} Its colours go from the nearest to the farthest true depth, by 1 / depth. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    Tensor truth = batch.target(StereoDataset.DEPTH).narrow(0, 0, 1);
    double[] truths = Elements.of(truth);
    double[] depths = answer.isEmpty() ? truths : Elements.of(answer.get(on).narrow(0, 0, 1));
    Judged judged = judged(depths, truths);
    double near = 1 / Arrays.stream(judged.truths).min().orElseThrow();
    double far = 1 / Arrays.stream(judged.truths).max().orElseThrow();
    return Palette.picture(
        (int) truth.size(3),
        (int) truth.size(2),
        at ->
            DepthColours.of((1 / (judged.factor * depths[at]) - far) / Math.max(near - far, FLAT)));
  }

  @Override
  public Map<String, Integer> legend() {
    Map<String, Integer> legend = new LinkedHashMap<>();
    legend.put("near", DepthColours.of(1));
    legend.put("far", DepthColours.of(0));
    legend.put("not known", DepthColours.of(Double.NaN));
    return legend;
  }
}
