package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
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
import org.structkd.testing.PictureCases;

@InScope
class TrajectoryMetricTest {
  private static final TrajectoryMetric METRIC = new TrajectoryMetric("positions");

  private static Tensor places(double[] values, int examples) {
    return Tensor.create(values, examples, values.length / examples / 2, 2);
  }

  private static Batch batch(Tensor observed, Tensor truth, Tensor zones) {
    return new Batch(
        Map.of("observed", observed, "neighbours", torch.zeros_like(observed)),
        Map.of("trajectories", truth, "zones", zones));
  }

  private static Score score(Tensor answer, Batch batch) {
    Metric.Count count = METRIC.count();
    count.add(Map.of("positions", answer), batch);
    return count.score();
  }

  static List<JsonNode> cases() throws IOException {
    List<JsonNode> cases = new ArrayList<>();
    Path file = Path.of("src/test/resources/trajectory/cases.json");
    new ObjectMapper().readTree(file.toFile()).required("cases").forEach(cases::add);
    return cases;
  }

  /** Displacements by NumPy, entries into zones by Shapely. */
  @ParameterizedTest
  @MethodSource("cases")
  void numbersAgreeWithTheStoredCases(JsonNode one) {
    int examples = one.get("shape").get(0).intValue();
    Tensor[] tensors = new Tensor[4];
    String[] names = {"answer", "observed", "truth", "zones"};
    for (int i = 0; i < names.length; i++) {
      tensors[i] = places(PictureCases.numbers(one, names[i]), examples);
    }
    Score score = score(tensors[0], batch(tensors[1], tensors[2], tensors[3]));
    for (String name : List.of("ade", "fde", "zone", "gain")) {
      assertEquals(one.get(name).doubleValue(), score.value(name), 1e-12, name);
    }
  }

  /**
   * By hand: errors of 5 and 0 m, then of 0 and 13. The first enters the zone only as predicted,
   * the second does so in truth and as predicted. Who walks on is 0, 1 and then 0, 2.
   */
  @Test
  void numbersAreThoseOfTheDefinition() {
    Tensor observed = places(new double[] {0, -1, 0, 0, 0, -1, 0, 0}, 2);
    Tensor truth = places(new double[] {0, 1, 0, 2, 5, 5, 0, 2}, 2);
    Tensor answer = places(new double[] {3, 5, 0, 2, 5, 5, 5, 14}, 2);
    Tensor zones = places(new double[] {2, 4, 6, 4, 6, 6, 2, 6, 2, 4, 6, 4, 6, 6, 2, 6}, 2);
    Batch batch = batch(observed, truth, zones);
    Score score = score(answer, batch);
    assertEquals("ade", METRIC.leading());
    assertEquals((5 + 0 + 0 + 13) / 4.0, score.leading().value(), 1e-12);
    assertEquals((0 + 13) / 2.0, score.value("fde"), 1e-12);
    assertEquals(0.5, score.value("zone"));
    assertEquals((Math.hypot(5, 4) - 18) / 4, score.value("gain"), 1e-12);
    assertEquals(1, score(truth, batch).value("zone"));
    assertTrue(score(truth, batch).isBetterThan(score.leading().value()));
    assertTrue(Double.isNaN(score(answer.mul(new Scalar(Double.NaN)), batch).leading().value()));
  }

  @Test
  void batchesAreCountedTogether() {
    Tensor truth = torch.rand(5, 3, 2);
    Tensor answer = torch.rand(5, 3, 2);
    Tensor observed = torch.rand(5, 4, 2);
    Tensor zones = torch.rand(5, 3, 2);
    Metric.Count parts = METRIC.count();
    for (int[] part : new int[][] {{0, 2}, {2, 3}}) {
      parts.add(
          Map.of("positions", answer.narrow(0, part[0], part[1])),
          batch(
              observed.narrow(0, part[0], part[1]),
              truth.narrow(0, part[0], part[1]),
              zones.narrow(0, part[0], part[1])));
    }
    Score whole = score(answer, batch(observed, truth, zones));
    for (Score.Number number : parts.score().numbers()) {
      assertEquals(whole.value(number.name()), number.value(), 1e-12);
    }
    assertThrows(IllegalStateException.class, () -> METRIC.count().score());
  }

  /** An answer is drawn in its colour, and where it is not there, there is the truth's. */
  @Test
  void picturesShowTheAnswer() {
    Tensor observed = places(new double[] {-1, 0, 0, 0}, 1);
    Tensor truth = places(new double[] {1, 0, 2, 0}, 1);
    Tensor answer = places(new double[] {1, 1, 2, 2}, 1);
    Batch batch = batch(observed, truth, places(new double[] {-3, -3, 3, -3, 3, -2}, 1));
    BufferedImage plain = METRIC.picture(Map.of(), batch);
    BufferedImage answered = METRIC.picture(Map.of("positions", answer), batch);
    assertEquals(plain.getWidth(), answered.getWidth());
    for (String name : List.of("zone", "observed", "truth")) {
      assertTrue(count(plain, METRIC.legend().get(name)) > 3, name);
    }
    assertEquals(0, count(plain, METRIC.legend().get("predicted")));
    assertTrue(count(answered, METRIC.legend().get("predicted")) > 3);
    BufferedImage constant = METRIC.baselines(batch).get("constant velocity");
    assertNotEquals(0, count(constant, METRIC.legend().get("predicted")));
  }

  private static int count(BufferedImage image, int colour) {
    int count = 0;
    for (int at = 0; at < image.getWidth() * image.getHeight(); at++) {
      int pixel = image.getRGB(at % image.getWidth(), at / image.getWidth()) & 0xffffff;
      count += pixel == colour ? 1 : 0;
    }
    return count;
  }

  @Test
  void placesThatDoNotFitAreRefused() {
    Batch batch = batch(torch.zeros(2, 8, 2), torch.zeros(2, 12, 2), torch.rand(2, 4, 2));
    refused(
        "trajectory metric: tap \"positions\" is [2, 11, 2], expected [2, 12, 2] as the"
            + " trajectories",
        () -> score(torch.zeros(2, 11, 2), batch));
    refused(
        "trajectory metric: places are [2, 24], expected [B, steps, 2]",
        () -> score(torch.zeros(2, 24), batch));
    refused(
        "trajectory metric: the network has no tap \"positions\", it has: encoder",
        () -> METRIC.count().add(Map.of("encoder", torch.zeros(2, 4)), batch));
  }
}
