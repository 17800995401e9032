package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.InterClassSimilarityLoss.Mode;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@Tag("emulated")
class InterClassSimilarityLossTest {
  private static final InterClassSimilarityLoss PAPER = InterClassSimilarityLoss.paper();

  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

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

  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleInEveryDtype(StudentTeacher.Kind kind) {
    for (ScalarType dtype :
        new ScalarType[] {
          ScalarType.Float, ScalarType.Double, ScalarType.Half, ScalarType.BFloat16
        }) {
      AccuracyRule.check(PAPER::forward, kind, dtype, 2, 21, 9, 11);
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

  @Test
  void maskedPixelsDoNotMatter() {
    Tensor student = Tensors.gaussian(1, 1, 4, 2, 6);
    Tensor teacher = Tensors.gaussian(2, 1, 4, 2, 6);
    Tensor firstRow =
        torch
            .cat(new TensorVector(torch.ones(1, 1, 6), torch.zeros(1, 1, 6)), 1)
            .to(ScalarType.Bool);
    double cut = PAPER.forward(student.narrow(2, 0, 1), teacher.narrow(2, 0, 1)).item_double();
    assertEquals(cut, PAPER.forward(student, teacher, firstRow).item_double(), 1e-12);
    Tensor bytes = firstRow.to(ScalarType.Byte);
    assertEquals(cut, PAPER.forward(student, teacher, bytes).item_double(), 1e-12);
  }

  @Test
  void nothingValidGivesZero() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 4, 2, 6), ScalarType.Float);
    Tensor none = torch.zeros(2, 2, 6).to(ScalarType.Bool);
    Tensor loss = PAPER.forward(student, Tensors.gaussian(2, 2, 4, 2, 6), none);
    assertEquals(0.0, loss.item_double());
    loss.backward();
    for (double g : Tensors.values(student.grad())) {
      assertEquals(0.0, g);
    }
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

  @ParameterizedTest
  @EnumSource(Mode.class)
  void teacherGetsNoGradientEvenIfItRequiresOne(Mode mode) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 4, 5, 6), ScalarType.Float);
    Tensor teacher = Tensors.leaf(Tensors.gaussian(2, 2, 4, 5, 6), ScalarType.Float);
    presetOf(mode).forward(student, teacher).backward();
    assertTrue(student.grad().defined());
    assertFalse(teacher.grad().defined());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void mixedDtypesArePromotedAndTheGradientComesBackInTheStudents(Mode mode) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 4, 5, 6), ScalarType.BFloat16);
    Tensor loss =
        presetOf(mode).forward(student, Tensors.gaussian(2, 2, 4, 5, 6).to(ScalarType.Float));
    loss.backward();
    assertEquals(ScalarType.Float, loss.scalar_type().intern());
    assertEquals(ScalarType.BFloat16, student.grad().scalar_type().intern());
  }

  @Test
  void anyNumberOfClassesWorksInEveryMode() {
    for (Mode mode : Mode.values()) {
      for (long classes : new long[] {2, 19, 151}) {
        Tensor student = Tensors.gaussian(1, 1, classes, 3, 4);
        Tensor teacher = Tensors.gaussian(2, 1, classes, 3, 4);
        double loss = presetOf(mode).forward(student, teacher).item_double();
        assertTrue(loss >= 0 && loss < 1000, mode + " " + classes + ": " + loss);
      }
    }
  }

  @Test
  void sameBitsForEveryThreadCount() {
    Tensor teacher = Tensors.gaussian(2, 2, 19, 70, 71).to(ScalarType.Float);
    int threads = torch.get_num_threads();
    Tensor expected = null;
    try {
      for (int count : new int[] {1, 2, 3}) {
        torch.set_num_threads(count);
        Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 19, 70, 71), ScalarType.Float);
        PAPER.forward(student, teacher).backward();
        if (expected == null) {
          expected = student.grad();
        }
        assertTrue(Tensors.sameBits(student.grad(), expected), count + " threads");
      }
    } finally {
      torch.set_num_threads(threads);
    }
  }

  @Test
  void slicedAndChannelsLastMapsGiveTheSameResult() {
    Tensor dense = Tensors.gaussian(1, 2, 6, 5, 8);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 5, 8);
    double expected = PAPER.forward(dense, teacher).item_double();
    Tensor channelsLast = dense.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
    assertEquals(expected, PAPER.forward(channelsLast, teacher).item_double());
    Tensor wide = torch.cat(new TensorVector(dense, dense), 3);
    assertEquals(expected, PAPER.forward(wide.narrow(3, 0, 8), teacher).item_double());
  }

  @Test
  void nanShowsInTheLoss() {
    Tensor student = Tensors.gaussian(1, 1, 4, 5, 5);
    student.select(1, 2).select(1, 3).fill_(new Scalar(Double.NaN));
    for (Mode mode : Mode.values()) {
      InterClassSimilarityLoss loss = presetOf(mode);
      assertTrue(
          Double.isNaN(loss.forward(student, Tensors.gaussian(2, 1, 4, 5, 5)).item_double()));
    }
  }

  // Bad input: what the sentence must say.

  private static void refused(String sentence, Runnable action) {
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, action::run);
    assertEquals(sentence, error.getMessage());
  }

  @Test
  void rejectsMapsThatDoNotFit() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "inter-class similarity loss: student [1, 4, 5, 5] and teacher [1, 3, 5, 5] differ in"
            + " number of channels",
        () -> PAPER.forward(map, torch.zeros(1, 3, 5, 5)));
    refused(
        "inter-class similarity loss: student [1, 4, 5, 5] and teacher [1, 4, 5, 6] differ in"
            + " height and width: resize one of them, in a term by withTeacherResized()",
        () -> PAPER.forward(map, torch.zeros(1, 4, 5, 6)));
    refused("inter-class similarity loss: student is null", () -> PAPER.forward(null, map));
    refused(
        "inter-class similarity loss: teacher is Long, expected Half, BFloat16, Float or Double",
        () -> PAPER.forward(map, map.to(ScalarType.Long)));
  }

  @Test
  void rejectsMasksThatDoNotFit() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "inter-class similarity loss: mask [1, 5, 4] does not fit student [1, 4, 5, 5], expected"
            + " [1, 5, 5]",
        () -> PAPER.forward(map, map, torch.ones(1, 5, 4).to(ScalarType.Bool)));
    refused(
        "inter-class similarity loss: mask is Float, expected Bool or Byte: compare it, such as"
            + " labels.ne(...)",
        () -> PAPER.forward(map, map, torch.ones(1, 5, 5)));
    refused(
        "inter-class similarity loss: mode code_head takes no mask, the code that it reproduces"
            + " counts every pixel: use mode paper",
        () ->
            InterClassSimilarityLoss.aicsdReleased()
                .forward(map, map, torch.ones(1, 5, 5).to(ScalarType.Bool)));
  }

  @Test
  void rejectsImpossibleConfigs() {
    for (double temperature : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(
          "inter-class similarity loss: temperature is "
              + temperature
              + ", expected a finite number greater than 0",
          () -> InterClassSimilarityLoss.paper().withTemperature(temperature));
    }
    refused(
        "inter-class similarity loss: mode is null",
        () -> new InterClassSimilarityLoss(null, 1, false));
  }
}
