package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.OnBackend;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class PairwiseLossTest {
  private static final PairwiseLoss ALL_NODES = PairwiseLoss.skdCvpr19();

  // Shapes on either side of N = 2/3 C and 4/3 C, where the kernel changes its form.
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleAroundEveryFormBoundary(StudentTeacher.Kind kind) {
    // From 2 on: with one node the loss is 0, and nothing relative can be said.
    for (long width : new long[] {2, 20, 21, 22, 23, 42, 43, 44, 45, 130}) {
      AccuracyRule.check(ALL_NODES::forward, kind, ScalarType.Float, 2, 32, 1, width);
    }
  }

  /**
   * Where FAST multiplies in the maps' own precision on CUDA: from 2 C nodes on, and for more than
   * 64.
   */
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void narrowMapsMeetTheAccuracyRuleAgainstAutocast(StudentTeacher.Kind kind) {
    for (long width : new long[] {63, 64, 65, 130}) {
      checkNarrow(kind, 32, width);
    }
    for (long width : new long[] {64, 65, 139}) {
      checkNarrow(kind, 70, width);
    }
  }

  private static void checkNarrow(StudentTeacher.Kind kind, long channels, long width) {
    for (ScalarType dtype : new ScalarType[] {ScalarType.BFloat16, ScalarType.Half}) {
      AccuracyRule.checkNarrow(
          ALL_NODES.withPrecision(PairwiseLoss.Precision.FAST)::forward,
          PairwiseLossTest::underAutocast,
          kind,
          dtype,
          2,
          channels,
          1,
          width);
    }
  }

  private static Tensor underAutocast(Tensor student, Tensor teacher) {
    return torch.mse_loss(affinities(student), affinities(teacher));
  }

  // Lengths in f32, products in the map's type; a zero node is divided by infinity.
  private static Tensor affinities(Tensor map) {
    Tensor nodes = map.flatten(2, -1).to(ScalarType.Float);
    Tensor norm = nodes.norm(new ScalarOptional(new Scalar(2)), new long[] {1}, true);
    Tensor zero = norm.le(new Scalar(1e-8));
    Tensor length = norm.masked_fill(zero, new Scalar(Double.POSITIVE_INFINITY));
    Tensor unit = nodes.div(length).to(map.scalar_type());
    return unit.transpose(1, 2).bmm(unit).to(ScalarType.Float);
  }

  // Value and gradient sums that the released codes gave (src/test/resources/golden).
  @ParameterizedTest
  @CsvSource({
    "skdReleased, 6, 6, 8, 8, 0.0001781312428803405",
    "skdReleased, 6, 9, 5, 7, 0.24251324724574097",
    "skdCvpr19, 4, 7, 3, 5, 0.7129928687217887",
    "cirkd, 6, 6, 6, 8, 0.1850445490855013"
  })
  void presetsReproduceThePublishedCodes(
      String preset, long cs, long ct, long h, long w, double expected) {
    PairwiseLoss loss =
        switch (preset) {
          case "skdReleased" -> PairwiseLoss.skdReleased();
          case "skdCvpr19" -> PairwiseLoss.skdCvpr19();
          default -> PairwiseLoss.cirkd();
        };
    Tensor student = Tensors.sine(1.0, 0.37, 0.2, 0, 2, cs, h, w);
    Tensor teacher = Tensors.sine(1.5, 0.61, 0.9, 0, 2, ct, h, w);
    assertEquals(expected, loss.forward(student, teacher).item_double(), 1e-10 * expected);
    double f32 =
        loss.forward(student.to(ScalarType.Float), teacher.to(ScalarType.Float)).item_double();
    assertEquals(expected, f32, 1e-5 * expected);
  }

  /** On either side of 2 C nodes, where gaps are no longer kept, and of 64, where f64 ends. */
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void signsMeetTheAccuracyRuleAroundEveryFormBoundary(StudentTeacher.Kind kind) {
    for (long width : new long[] {3, 64, 65, 79, 80, 81, 200}) {
      AccuracyRule.check(PairwiseLoss.fakd()::forward, kind, ScalarType.Float, 1, 40, 1, width);
    }
  }

  /** Half of a map of one color, as an image has it: ties, which rounding must not decide. */
  @Test
  void flatPartsHaveNoGradientOfTheirOwn() {
    Tensor student = torch.ones(1, 6, 10, 10);
    Tensor teacher = torch.full(new long[] {1, 6, 10, 10}, new Scalar(0.3));
    Tensor flat = Tensors.leaf(student, ScalarType.Float);
    PairwiseLoss.fakd().forward(flat, teacher.to(ScalarType.Float)).backward();
    assertEquals(0, flat.grad().abs().max().item_double(), 1e-9); // what eps leaves
  }

  /** The whole set of users and items is one group, whose sum nothing divides. */
  @Test
  void theReleasedTopologyDistillationIsASum() {
    Tensor student = Tensors.gaussian(1, 7, 3);
    Tensor teacher = Tensors.gaussian(2, 7, 5);
    PairwiseLoss mean = ALL_NODES.withPairs(PairwiseLoss.Pairs.WHOLE_BATCH);
    double sum = PairwiseLoss.ftdReleased().forward(student, teacher).item_double();
    assertEquals(49 * mean.forward(student, teacher).item_double(), sum, 1e-12 * sum);
    student.narrow(0, 2, 1).zero_();
    Tensor leaf = Tensors.leaf(student, ScalarType.Double);
    Tensor value = PairwiseLoss.ftdReleased().forward(leaf, teacher); // NaN in the released code
    value.backward();
    assertTrue(Double.isFinite(value.item_double()) && leaf.grad().isfinite().all().item_bool());
  }

  @Test
  void weightsOfOneChangeNothingAndAMaskDropsNodes() {
    Tensor student = Tensors.gaussian(1, 1, 4, 2, 6);
    Tensor teacher = Tensors.gaussian(2, 1, 4, 2, 6);
    double plain = ALL_NODES.forward(student, teacher).item_double();
    Tensor ones = torch.ones(1, 2, 6);
    assertEquals(plain, ALL_NODES.forward(student, teacher, ones).item_double(), 1e-12);
    Tensor firstRow = torch.cat(new TensorVector(torch.ones(1, 1, 6), torch.zeros(1, 1, 6)), 1);
    double cut = ALL_NODES.forward(student.narrow(2, 0, 1), teacher.narrow(2, 0, 1)).item_double();
    assertEquals(cut, ALL_NODES.forward(student, teacher, firstRow).item_double(), 1e-12);
  }

  @Test
  void weightsCountAlikeWhereNoKernelComputes() {
    Tensor weights = Tensors.gaussian(5, 2, 4, 6).abs();
    double[][] results = new double[2][];
    for (int composed = 0; composed < 2; composed++) {
      Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 5, 4, 6), ScalarType.Double);
      Tensor teacher = Tensors.gaussian(2, 2, 5, 4, 6);
      OnBackend.of(
              composed == 1 ? "composed" : "reference",
              () -> ALL_NODES.forward(student, teacher, weights))
          .backward();
      results[composed] = Tensors.values(student.grad());
    }
    assertEquals(0, Tensors.relativeError(results[1], results[0]), 1e-10);
  }

  /** The window that becomes the node without weight holds what must not spread. */
  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void aNodeOfWeight0TakesNoPartWhateverItsWindowHolds(double value) {
    Tensor weights = torch.ones(1, 4, 4);
    weights.narrow(1, 1, 1).narrow(2, 2, 1).zero_();
    for (Pooling pooling :
        List.of(Pooling.max(2, 2), Pooling.averageToNodes(4, 4), Pooling.none())) {
      int scale = pooling.equals(Pooling.none()) ? 1 : 2;
      PairwiseLoss loss = PairwiseLoss.cirkd().withPooling(pooling);
      Tensor[] grads = new Tensor[2];
      double[] values = new double[2];
      for (int poisoned = 0; poisoned < 2; poisoned++) {
        Tensor student = Tensors.gaussian(1, 1, 3, 4 * scale, 4 * scale);
        Tensor teacher = Tensors.gaussian(2, 1, 3, 4 * scale, 4 * scale);
        if (poisoned == 1) {
          for (Tensor map : List.of(student, teacher)) {
            map.narrow(2, scale, scale).narrow(3, 2 * scale, scale).fill_(new Scalar(value));
          }
        }
        student = Tensors.leaf(student, ScalarType.Double);
        Tensor result = loss.forward(student, teacher, weights);
        result.backward();
        values[poisoned] = result.item_double();
        grads[poisoned] = student.grad();
      }
      assertTrue(Double.isFinite(values[0]) && values[0] > 0);
      assertEquals(values[0], values[1], pooling.toString());
      assertTrue(Tensors.sameBits(grads[0].add(new Scalar(0)), grads[1].add(new Scalar(0))));
    }
  }

  @Test
  void poolingsGiveTheNodesTheyPromise() {
    Tensor map = Tensors.gaussian(1, 1, 2, 65, 65);
    assertArrayEquals(new long[] {1, 2, 3, 3}, Pooling.maxOfMapFraction(0.5).apply(map).shape());
    assertArrayEquals(new long[] {1, 2, 33, 33}, Pooling.max(2, 2).apply(map).shape());
    assertArrayEquals(new long[] {1, 2, 4, 5}, Pooling.averageToNodes(4, 5).apply(map).shape());
    assertArrayEquals(new long[] {1, 2, 65, 65}, Pooling.none().apply(map).shape());
  }

  @Test
  void conditionNumberRisesAsTheStudentApproaches() {
    Tensor teacher = Tensors.gaussian(2, 1, 8, 6, 6);
    Tensor noise = Tensors.gaussian(3, 1, 8, 6, 6);
    double far = ALL_NODES.conditionNumber(teacher.add(noise), teacher);
    double near = ALL_NODES.conditionNumber(teacher.add(noise.mul(new Scalar(1e-3))), teacher);
    assertTrue(near > 100 * far, near + " against " + far);
    assertEquals(Double.POSITIVE_INFINITY, ALL_NODES.conditionNumber(teacher, teacher));
  }

  @Test
  void rejectsWeightsThatAreNegativeOrDoNotFit() {
    Tensor map = torch.ones(1, 4, 5, 5);
    refused(
        "pair-wise loss: weights has values from -1.0 to -1.0, expected finite numbers of at least"
            + " 0",
        () -> ALL_NODES.forward(map, map, torch.ones(1, 5, 5).neg()));
    refused(
        "pair-wise loss: weights [1, 5, 4] does not fit nodes [1, 4, 5, 5], expected [1, 5, 5]",
        () -> ALL_NODES.forward(map, map, torch.ones(1, 5, 4)));
  }

  @Test
  void rejectsImpossiblePoolings() {
    assertThrows(IllegalArgumentException.class, () -> Pooling.maxOfMapFraction(1.5));
    assertThrows(IllegalArgumentException.class, () -> Pooling.max(0, 2));
  }
}
