package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.InterClassSimilarityLoss.Mode;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class InterClassSimilarityLossTest {
  private static final InterClassSimilarityLoss PAPER = InterClassSimilarityLoss.paper();

  // Around class blocks of 4 and pixel tiles of 512.
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleAroundEveryBoundary(StudentTeacher.Kind kind) {
    for (long[] shape :
        new long[][] {
          {2, 3, 1, 2},
          {2, 5, 3, 5},
          {1, 19, 16, 31},
          {1, 4, 16, 32},
          {1, 5, 19, 27},
          {1, 3, 64, 65},
          {1, 33, 9, 11},
          {1, 150, 12, 13}
        }) {
      AccuracyRule.check(PAPER::forward, kind, ScalarType.Float, shape);
    }
  }

  // Values and gradient sums that the codes gave (PAPER: an independent restatement), in f64.
  @ParameterizedTest
  @CsvSource({
    "PAPER, 5.004257291503628, 1.3410339009812553, 0.0018273535247363612",
    "CODE_HEAD, 0.00036053621729286936, 0.0009777402960109557, -1.2033753417100726e-06",
    "CODE_2023_03, 0.08166020150979877, 0.31778442614286034, 0.00035802299291362425"
  })
  void presetsReproduceThePublishedCodes(
      Mode mode, double expected, double expectedGradient, double first) {
    InterClassSimilarityLoss loss = presetOf(mode);
    Tensor student = Tensors.sine(2.0, 0.7, 0.3, 0, 2, 21, 4, 5);
    Tensor teacher = Tensors.sine(3.0, 1.3, 1.1, 0, 2, 21, 4, 5);
    Tensor leaf = Tensors.leaf(student, ScalarType.Double);
    Tensor value = loss.forward(leaf, teacher);
    assertEquals(expected, value.item_double(), 1e-10 * expected);
    value.backward();
    assertEquals(expectedGradient, leaf.grad().abs().sum().item_double(), 1e-10 * expectedGradient);
    assertEquals(first, Tensors.values(leaf.grad())[0], 1e-10 * 0.01);
    double f32 =
        loss.forward(student.to(ScalarType.Float), teacher.to(ScalarType.Float)).item_double();
    assertEquals(expected, f32, 1e-5 * expected);
  }

  private static InterClassSimilarityLoss presetOf(Mode mode) {
    return switch (mode) {
      case PAPER -> InterClassSimilarityLoss.paper();
      case CODE_HEAD -> InterClassSimilarityLoss.aicsdReleased();
      case CODE_2023_03 -> InterClassSimilarityLoss.aicsdMarch2023();
      case CODE_HW_SYM -> InterClassSimilarityLoss.aicsdWholeMap();
    };
  }

  @Test
  void wholeMapCodeEqualsHeadOnMapsOfOneColumn() {
    // There a softmax over the height is one over the map.
    Tensor student = Tensors.gaussian(1, 2, 5, 12, 1);
    Tensor teacher = Tensors.gaussian(2, 2, 5, 12, 1);
    double head = InterClassSimilarityLoss.aicsdReleased().forward(student, teacher).item_double();
    double wholeMap =
        InterClassSimilarityLoss.aicsdWholeMap().forward(student, teacher).item_double();
    assertEquals(head, wholeMap, 1e-12 * head);
  }

  @Test
  void wholeMapCodeMatchesItsFormula() {
    int classes = 3;
    int pixels = 6;
    Tensor student = Tensors.gaussian(1, 2, classes, 2, 3);
    Tensor teacher = Tensors.gaussian(2, 2, classes, 2, 3);
    double[][] s = symmetricUnitRows(Tensors.values(student), classes, pixels);
    double[][] t = symmetricUnitRows(Tensors.values(teacher), classes, pixels);
    double sum = 0;
    for (int i = 0; i < classes; i++) {
      for (int j = 0; j < classes; j++) {
        sum += (s[i][j] - t[i][j]) * (s[i][j] - t[i][j]);
      }
    }
    double expected = sum / (classes * classes) / 2; // mean over the matrix, then by the batch
    double actual =
        InterClassSimilarityLoss.aicsdWholeMap().forward(student, teacher).item_double();
    assertEquals(expected, actual, 1e-12 * expected);
  }

  private static double[][] symmetricUnitRows(double[] z, int classes, int pixels) {
    double[][] matrix = new double[classes][classes];
    for (int b = 0; b < 2; b++) {
      double[][] p = new double[classes][pixels];
      for (int c = 0; c < classes; c++) {
        double sum = 0;
        for (int x = 0; x < pixels; x++) {
          p[c][x] = Math.exp(z[(b * classes + c) * pixels + x]);
          sum += p[c][x];
        }
        for (int x = 0; x < pixels; x++) {
          p[c][x] /= sum;
        }
      }
      for (int i = 0; i < classes; i++) {
        for (int j = i; j < classes; j++) {
          double divergence = 0;
          for (int x = 0; x < pixels; x++) {
            divergence += p[j][x] * (Math.log(p[j][x]) - p[i][x]) / 2;
          }
          matrix[i][j] += divergence;
          matrix[j][i] = matrix[i][j];
        }
      }
    }
    for (double[] row : matrix) {
      double length = 0;
      for (double entry : row) {
        length += entry * entry;
      }
      for (int j = 0; j < classes; j++) {
        row[j] /= Math.sqrt(length);
      }
    }
    return matrix;
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void equalLogitsGiveZero(Mode mode) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 4, 5, 6), ScalarType.Float);
    Tensor loss = presetOf(mode).forward(student, student.detach().clone());
    assertEquals(0.0, loss.item_double());
    loss.backward();
    for (double g : Tensors.values(student.grad())) {
      assertEquals(0.0, Math.abs(g)); // -0 is 0
    }
  }

  // Bad input: what the sentence must say.

  @Test
  void rejectsMasksThatDoNotFit() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "inter-class similarity loss: mask [1, 5, 4] does not fit student [1, 4, 5, 5], expected"
            + " [1, 5, 5]",
        () -> PAPER.forward(map, map, torch.ones(1, 5, 4).to(ScalarType.Bool)));
    refused(
        "inter-class similarity loss: mask is Float, expected Bool or Byte: compare it first,"
            + " as in mask.gt(0)",
        () -> PAPER.forward(map, map, torch.ones(1, 5, 5)));
    refused(
        "inter-class similarity loss: mode code_head takes no mask, the code that it reproduces"
            + " counts every pixel: use mode paper",
        () ->
            InterClassSimilarityLoss.aicsdReleased()
                .forward(map, map, torch.ones(1, 5, 5).to(ScalarType.Bool)));
  }
}
