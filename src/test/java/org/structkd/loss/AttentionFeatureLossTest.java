package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.AttentionFeatureLoss.Query;
import org.structkd.testing.InScope;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.Tensors;

/** Which layers count, and what is refused; golden files have the released code's numbers. */
@InScope
class AttentionFeatureLossTest {
  private static Map<String, Tensor> layers(long seed, long batch, int count) {
    Map<String, Tensor> layers = new HashMap<>();
    for (int layer = 0; layer < count; layer++) {
      long side = 6 - layer;
      layers.put(
          "features." + layer, Tensors.gaussian(seed + layer, batch, 3 + layer, side, side + 1));
    }
    return layers;
  }

  private static LossInputs inputs(long batch, int student, int teacher, TrainedPart part) {
    return new LossInputs(
        layers(1, batch, student),
        layers(11, batch, teacher),
        Map.of(),
        Map.of(),
        OptionalLong.empty(),
        0,
        part);
  }

  private static AttentionFeatureLoss keys(int keep, double threshold) {
    return new AttentionFeatureLoss(4, Query.STUDENT, keep, threshold);
  }

  /** The loss in f64; without a preference the attention is the same to all keys. */
  private static double value(
      AttentionFeatureLoss loss, boolean prefers, int student, int teacher) {
    try (TrainedPart part = loss.trainedPart(inputs(3, student, teacher, null), 5).orElseThrow()) {
      part.module().to(ScalarType.Double, false);
      if (!prefers) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
          for (long i = 0; i < part.module().parameters().size(); i++) {
            part.module().parameters().get(i).zero_();
          }
        }
      }
      return loss.forward(inputs(3, student, teacher, part)).item_double();
    }
  }

  /** Of one layer each there is nothing to attend to. */
  private static double distance(int studentLayer, int teacherLayer) {
    AttentionFeatureLoss loss = AttentionFeatureLoss.standard();
    LossInputs all = inputs(3, studentLayer + 1, teacherLayer + 1, null);
    LossInputs pair =
        new LossInputs(
            Map.of("features.0", all.student("features." + studentLayer)),
            Map.of("features.0", all.teacher("features." + teacherLayer)),
            Map.of(),
            Map.of(),
            OptionalLong.empty(),
            0,
            null);
    try (TrainedPart part = loss.trainedPart(pair, 5).orElseThrow()) {
      part.module().to(ScalarType.Double, false);
      return loss.forward(
              new LossInputs(
                  pair.student(),
                  pair.teacher(),
                  Map.of(),
                  Map.of(),
                  OptionalLong.empty(),
                  0,
                  part))
          .item_double();
    }
  }

  @Test
  void attentionThatPrefersNothingIsTheMeanOverTheKeys() {
    double expected = (distance(0, 0) + distance(0, 1) + distance(0, 2)) / 3;
    assertEquals(expected, value(keys(0, 0), false, 1, 3), 1e-15);
    double ofTeacher =
        (distance(0, 0) + distance(1, 0)) / 2 + (distance(0, 1) + distance(1, 1)) / 2;
    AttentionFeatureLoss afd = new AttentionFeatureLoss(4, Query.TEACHER, 0, 0);
    assertEquals(ofTeacher, value(afd, false, 2, 2), 1e-15);
  }

  @Test
  void ofEqualKeysTheLowestLayersAreKept() {
    assertEquals(distance(0, 0), value(keys(1, 0), false, 1, 3), 1e-15);
    assertEquals((distance(0, 0) + distance(0, 1)) / 2, value(keys(2, 0), false, 1, 3), 1e-15);
  }

  @Test
  void whereNoKeyIsAboveTheThresholdTheBestStays() {
    assertEquals(distance(0, 0), value(keys(0, 0.5), false, 1, 3), 1e-15); // each has 1/3
    assertEquals(value(keys(0, 0), false, 1, 3), value(keys(0, 0.3), false, 1, 3), 1e-15);
  }

  @ParameterizedTest
  @EnumSource(Query.class)
  void toKeepAllKeysIsToKeepThemAsTheyAre(Query from) {
    double all = value(new AttentionFeatureLoss(4, from, 0, 0), true, 3, 3);
    assertEquals(all, value(new AttentionFeatureLoss(4, from, 3, 0), true, 3, 3), 1e-14);
    assertTrue(
        Math.abs(all - value(new AttentionFeatureLoss(4, from, 1, 0), true, 3, 3)) > 1e-6 * all);
  }

  /** The kept share of two keys out of the attention that the part itself gives. */
  @Test
  void keptAttentionHasTheSumOne() {
    AttentionFeatureLoss loss = keys(2, 0);
    try (TrainedPart part = loss.trainedPart(inputs(3, 1, 3, null), 5).orElseThrow()) {
      part.module().to(ScalarType.Double, false);
      LossInputs in = inputs(3, 1, 3, part);
      double[] attention =
          Tensors.values(
              ((LayerAttention) part)
                  .forward(in.studentLayers("features"), in.teacherLayers("features")));
      double expected = 0;
      for (int image = 0; image < 3; image++) {
        List<Integer> order =
            List.of(0, 1, 2).stream().sorted(byAttention(attention, image)).toList();
        double sum = attention[3 * image + order.get(0)] + attention[3 * image + order.get(1)];
        for (int place = 0; place < 2; place++) {
          double share = attention[3 * image + order.get(place)] / sum;
          expected += share * distanceOf(image, order.get(place)) / 3;
        }
      }
      assertEquals(expected, loss.forward(in).item_double(), 1e-14);
    }
  }

  private static Comparator<Integer> byAttention(double[] attention, int image) {
    return Comparator.comparingDouble(key -> -attention[3 * image + key]);
  }

  /** By plain loops: energies, averaged to the teacher's size, of unit length. */
  private static double distanceOf(int image, int teacherLayer) {
    LossInputs in = inputs(3, 1, 3, null);
    double[] teacher = energy(in.teacher("features." + teacherLayer).select(0, image));
    int side = 6 - teacherLayer;
    double[] student = averaged(energy(in.student("features.0").select(0, image)), 6, side);
    double sum = 0;
    for (int i = 0; i < teacher.length; i++) {
      double gap = student[i] / length(student) - teacher[i] / length(teacher);
      sum += gap * gap;
    }
    return sum / teacher.length;
  }

  private static double[] energy(Tensor map) {
    double[] values = Tensors.values(map);
    int plane = (int) (map.size(1) * map.size(2));
    double[] energy = new double[plane];
    for (int i = 0; i < values.length; i++) {
      energy[i % plane] += values[i] * values[i] / map.size(0);
    }
    return energy;
  }

  /** Windows of adaptive pooling, from side x (side + 1) to another. */
  private static double[] averaged(double[] map, int from, int to) {
    double[] out = new double[to * (to + 1)];
    for (int y = 0; y < to; y++) {
      for (int x = 0; x < to + 1; x++) {
        double sum = 0;
        int count = 0;
        for (int i = y * from / to; i < ceilDiv((y + 1) * from, to); i++) {
          for (int j = x * (from + 1) / (to + 1); j < ceilDiv((x + 1) * (from + 1), to + 1); j++) {
            sum += map[i * (from + 1) + j];
            count++;
          }
        }
        out[y * (to + 1) + x] = sum / count;
      }
    }
    return out;
  }

  private static int ceilDiv(int dividend, int divisor) {
    return (dividend + divisor - 1) / divisor;
  }

  private static double length(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  @Test
  void theAttentionLearnsWithTheStudent() {
    AttentionFeatureLoss loss = AttentionFeatureLoss.standard();
    LossInputs dryRun = inputs(3, 2, 2, null);
    try (TrainedPart part = loss.trainedPart(dryRun, 5).orElseThrow()) {
      part.module().to(ScalarType.Double, false);
      LossInputs leaves = LossUnderTest.leaves(inputs(3, 2, 2, part));
      loss.forward(leaves).backward();
      for (String name :
          List.of("query0_weight", "key1_weight", "bilinear_scale", "query_positions")) {
        Tensor gradient = part.module().named_parameters().get(name).grad();
        assertTrue(gradient.abs().sum().item_double() > 0, name);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0   | teacher | 0  | 0   | qkDim is 0, expected 1 or more",
        "4   | student | -1 | 0   | keep is -1, expected a number of layers, or 0 for all",
        "4   | student | 0  | 1   | threshold is 1.0, expected at least 0 and less than 1"
      })
  void impossibleSettingsAreRefused(
      int qkDim, String from, int keep, double threshold, String said) {
    Query query = Query.valueOf(from.toUpperCase(Locale.ROOT));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new AttentionFeatureLoss(qkDim, query, keep, threshold));
    assertEquals("attention feature loss: " + said, e.getMessage());
  }

  private static String refused(AttentionFeatureLoss loss, LossInputs inputs) {
    return assertThrows(IllegalArgumentException.class, () -> loss.trainedPart(inputs, 5))
        .getMessage();
  }

  @Test
  void whatCannotBeAttendedToIsRefusedBeforeTheFirstStep() {
    assertEquals(
        "attention feature loss: student features.0 [1, 3, 6, 7] is a batch of one, of which the"
            + " attention's batch normalisation has no statistics: use a batch of 2 or more",
        refused(AttentionFeatureLoss.standard(), inputs(1, 2, 2, null)));
    assertEquals(
        "attention feature loss: keep is 3, but there are 2 layers to keep keys of: wire more, or"
            + " keep at most 2",
        refused(keys(3, 0), inputs(3, 4, 2, null)));
    LossInputs gap =
        new LossInputs(
            Map.of("features.0", Tensors.gaussian(1, 2, 3, 4, 4)),
            Map.of(
                "features.0", Tensors.gaussian(1, 2, 3, 4, 4),
                "features.2", Tensors.gaussian(1, 2, 3, 4, 4)),
            Map.of(),
            Map.of(),
            OptionalLong.empty(),
            0,
            null);
    assertTrue(
        refused(AttentionFeatureLoss.standard(), gap)
            .startsWith("teacher has no output \"features.1\""));
  }

  @Test
  void layersOfOtherChannelsThanInTheDryRunAreRefused() {
    AttentionFeatureLoss loss = AttentionFeatureLoss.standard();
    try (TrainedPart part = loss.trainedPart(inputs(3, 2, 2, null), 5).orElseThrow()) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> loss.forward(inputs(3, 1, 2, part)));
      assertEquals(
          "attention feature loss: the student's layers have the channels [3], but the attention"
              + " was made for [3, 4]",
          e.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> loss.forward(inputs(3, 2, 2, null)));
  }
}
