package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Batch;
import org.structkd.testing.InScope;

@InScope
class DepthMetricTest {
  private static final DepthMetric PLAIN = new DepthMetric("depth", DepthMetric.Scaling.NONE, 10);
  private static final DepthMetric SCALED =
      new DepthMetric("depth", DepthMetric.Scaling.MEDIAN, 10);

  static List<JsonNode> cases() throws IOException {
    List<JsonNode> cases = new ArrayList<>();
    new ObjectMapper()
        .readTree(Path.of("src/test/resources/depth/cases.json").toFile())
        .forEach(cases::add);
    return cases;
  }

  private static Tensor tensor(JsonNode one, String key) {
    double[] values = new double[one.get(key).size()];
    long[] shape = new long[4];
    for (int i = 0; i < values.length; i++) {
      JsonNode value = one.get(key).get(i);
      values[i] = value.isNull() ? Double.NaN : value.doubleValue();
    }
    for (int i = 0; i < shape.length; i++) {
      shape[i] = one.get("shape").get(i).longValue();
    }
    return Tensor.create(values, shape);
  }

  private static Batch batch(Tensor truth) {
    return new Batch(Map.of("images", truth), Map.of("depth", truth));
  }

  private static Score score(DepthMetric metric, Tensor answer, Tensor truth) {
    Metric.Count count = metric.count();
    count.add(Map.of("depth", answer), batch(truth));
    return count.score();
  }

  /** Those of numpy, by make_cases.py. */
  @ParameterizedTest
  @MethodSource("cases")
  void errorsAgreeWithTheStoredCases(JsonNode one) {
    DepthMetric metric =
        new DepthMetric(
            "depth",
            DepthMetric.Scaling.valueOf(one.get("scaling").textValue()),
            one.get("cap").doubleValue());
    Score score = score(metric, tensor(one, "answer"), tensor(one, "truth"));
    one.get("score")
        .properties()
        .forEach(
            number ->
                assertEquals(
                    number.getValue().doubleValue(),
                    score.value(number.getKey()),
                    1e-12,
                    number.getKey()));
    assertEquals(8, score.numbers().size());
    assertEquals("abs_rel", score.leading().name());
  }

  /** Two pixels by hand: 2 m and 4 m taken for 3 m and 4 m. */
  @Test
  void numbersAreThoseOfAHand() {
    Tensor truth = Tensor.create(new double[] {2, 4}, 1, 1, 1, 2);
    Score score = score(PLAIN, Tensor.create(new double[] {3, 4}, 1, 1, 1, 2), truth);
    assertEquals(0.25, score.value("abs_rel"), 1e-12);
    assertEquals(0.25, score.value("sq_rel"), 1e-12);
    assertEquals(Math.sqrt(0.5), score.value("rmse"), 1e-12);
    assertEquals(Math.log(1.5) / Math.sqrt(2), score.value("rmse_log"), 1e-12);
    assertEquals(0.5, score.value("delta1"));
    assertEquals(1, score.value("delta2"), "1.5 is less than 1.5625");
    assertEquals((0.5 + 0.25) / 2 - 0.25, score.value("gain"), 1e-12);
  }

  @Test
  void scalingForgivesAFactorAndNothingElse() {
    Tensor truth = Tensor.create(new double[] {1, 2, 3, 9, 4, 5}, 2, 1, 1, 3);
    assertEquals(0, score(SCALED, truth.mul(new Scalar(0.3)), truth).value("abs_rel"), 1e-12);
    assertEquals(0.7, score(PLAIN, truth.mul(new Scalar(0.3)), truth).value("abs_rel"), 1e-12);
    assertTrue(score(SCALED, truth.reciprocal(), truth).value("abs_rel") > 0.3);
  }

  @Test
  void whatIsNotKnownOrBeyondTheCapDoesNotCount() {
    double[] truth = {2, Double.NaN, Double.POSITIVE_INFINITY, 11, 0};
    Tensor answer = Tensor.create(new double[] {2, 7, 7, 7, Double.NaN}, 1, 1, 1, 5);
    assertEquals(0, score(PLAIN, answer, Tensor.create(truth, 1, 1, 1, 5)).value("rmse"));
    Tensor nan = torch.full(new long[] {1, 1, 1, 5}, new Scalar(Double.NaN));
    assertTrue(Double.isNaN(score(PLAIN, nan, Tensor.create(truth, 1, 1, 1, 5)).value("rmse")));
  }

  @Test
  void batchesAreCountedTogether() {
    Tensor truth = torch.rand(3, 1, 4, 4).add(new Scalar(1));
    Tensor answer = torch.rand(3, 1, 4, 4).add(new Scalar(1));
    Metric.Count parts = SCALED.count();
    for (int i = 0; i < 3; i++) {
      parts.add(Map.of("depth", answer.narrow(0, i, 1)), batch(truth.narrow(0, i, 1)));
    }
    Score whole = score(SCALED, answer, truth);
    for (Score.Number number : whole.numbers()) {
      assertEquals(number.value(), parts.score().value(number.name()), 1e-12);
    }
  }

  @Test
  void picturesAreBrightWhereItIsNear() {
    Tensor truth = Tensor.create(new double[] {1, 4, Double.NaN}, 1, 1, 1, 3);
    BufferedImage picture = SCALED.picture(Map.of(), batch(truth));
    assertEquals(3, picture.getWidth());
    assertEquals(0xfde725, picture.getRGB(0, 0) & 0xffffff);
    assertEquals(0x440154, picture.getRGB(1, 0) & 0xffffff);
    assertEquals(0, picture.getRGB(2, 0) & 0xffffff);
    Tensor twice = truth.mul(new Scalar(2));
    BufferedImage scaled = SCALED.picture(Map.of("depth", twice), batch(truth));
    assertEquals(picture.getRGB(0, 0), scaled.getRGB(0, 0));
    assertEquals(List.of("near", "far", "not known"), List.copyOf(SCALED.legend().keySet()));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor truth = torch.ones(1, 1, 2, 3);
    refused(
        "depth metric: tap \"depth\" is [1, 1, 2, 2], expected [1, 1, 2, 3]",
        () -> score(PLAIN, torch.ones(1, 1, 2, 2), truth));
    refused(
        "depth metric: an image has no pixel with a true depth up to cap, which is 10.0",
        () -> score(PLAIN, truth, truth.mul(new Scalar(11))));
    refused(
        "depth metric: cap is 0.0, expected a finite number greater than 0",
        () -> new DepthMetric("depth", DepthMetric.Scaling.NONE, 0));
    assertThrows(IllegalStateException.class, () -> PLAIN.count().score());
  }
}
