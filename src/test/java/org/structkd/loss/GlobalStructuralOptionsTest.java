package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.structkd.loss.GlobalStructuralLoss.BatchRule;
import org.structkd.loss.GlobalStructuralLoss.Comparison;
import org.structkd.loss.GlobalStructuralLoss.Reduction;
import org.structkd.loss.GlobalStructuralLoss.Remainder;
import org.structkd.loss.GlobalStructuralLoss.Shuffle;
import org.structkd.loss.Sampling.Strategy;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The comparisons without a kernel, the options of the config, and what is refused. */
@InScope
@Tag("emulated")
class GlobalStructuralOptionsTest {
  private static final GlobalStructuralLoss ROWS =
      GlobalStructuralLoss.standard().withShuffle(Shuffle.NONE).withGroupWidth(2);

  private static double[][] similarities(double[][] rows) {
    double[][] map = new double[rows.length][rows.length];
    for (int i = 0; i < rows.length; i++) {
      for (int j = 0; j < rows.length; j++) {
        for (int d = 0; d < rows[i].length; d++) {
          map[i][j] += rows[i][d] * rows[j][d];
        }
      }
    }
    return map;
  }

  private static double divergence(double[][] s, double[][] t, int row, int from, int to) {
    double zs = 0;
    double zt = 0;
    for (int j = from; j < to; j++) {
      zs += Math.exp(s[row][j]);
      zt += Math.exp(t[row][j]);
    }
    double sum = 0;
    for (int j = from; j < to; j++) {
      sum += Math.exp(t[row][j]) / zt * (t[row][j] - Math.log(zt) - s[row][j] + Math.log(zs));
    }
    return sum;
  }

  private static final double[][] S = {{1, 2}, {0, 1}, {-1, 0.5}, {0.3, 0.4}, {2, -1}};
  private static final double[][] T = {{1, 1}, {0.5, 1}, {-1, -0.5}, {0.1, 0.4}, {1, -1}};

  private static Tensor tensor(double[][] rows) {
    double[] values = new double[rows.length * rows[0].length];
    for (int i = 0; i < values.length; i++) {
      values[i] = rows[i / rows[0].length][i % rows[0].length];
    }
    return Tensor.create(values, 1, rows.length, rows[0].length);
  }

  private static double value(GlobalStructuralLoss config) {
    return config.forwardRows(tensor(S), tensor(T), 1, null, 0).item_double();
  }

  @Test
  void rowDivergenceIsTheMeanOverRowsAndGroups() {
    GlobalStructuralLoss config = ROWS.withComparison(Comparison.ROW_DIVERGENCE);
    double[][] s = similarities(S);
    double[][] t = similarities(T);
    double full = 0;
    double rest = 0;
    for (int i = 0; i < 5; i++) {
      full += divergence(s, t, i, 0, 2) + divergence(s, t, i, 2, 4);
      rest += divergence(s, t, i, 4, 5);
    }
    assertEquals(full / 10, value(config.withRemainder(Remainder.DROPPED)), 1e-12);
    assertEquals(full / 10 + rest / 5, value(config.withRemainder(Remainder.ADDED)), 1e-12);
    assertEquals((full + rest) / 15, value(config.withRemainder(Remainder.AVERAGED)), 1e-12);
  }

  @Test
  void descriptorRelationIsTheGapBetweenCosinesOfGroups() {
    double[][] s = similarities(S);
    double[][] t = similarities(T);
    double gap = cosineOfTheTwoGroups(s) - cosineOfTheTwoGroups(t);
    assertEquals(
        gap * gap / 2, // two of four entries, the diagonal is 1
        value(ROWS.withComparison(Comparison.DESCRIPTOR_RELATION)),
        1e-12);
  }

  private static double cosineOfTheTwoGroups(double[][] map) {
    double product = 0;
    double first = 0;
    double second = 0;
    for (double[] row : map) {
      product += row[0] * row[2] + row[1] * row[3];
      first += row[0] * row[0] + row[1] * row[1];
      second += row[2] * row[2] + row[3] * row[3];
    }
    return product / Math.sqrt(first * second);
  }

  @Test
  void compositionsUseTheKernelsPermutationAndLetTheGradientFlow() {
    for (Comparison comparison : Comparison.values()) {
      GlobalStructuralLoss config =
          GlobalStructuralLoss.standard().withComparison(comparison).withGroupWidth(2);
      Tensor student = Tensors.leaf(Tensors.gaussian(1, 1, 6, 4), ScalarType.Double);
      Tensor teacher = Tensors.gaussian(2, 1, 6, 3);
      Tensor first = config.forwardRows(student, teacher, 1, null, 1);
      first.backward();
      assertTrue(student.grad().abs().sum().item_double() > 0, comparison.toString());
      double again = config.forwardRows(student, teacher, 1, null, 1).item_double();
      assertEquals(first.item_double(), again);
      double other = config.forwardRows(student, teacher, 1, null, 2).item_double();
      assertTrue(first.item_double() != other, comparison.toString());
    }
  }

  @Test
  void batchRulesAndReductionsScaleTheValue() {
    GlobalStructuralLoss config = ROWS.withRemainder(Remainder.DROPPED);
    double sum = value(config);
    assertEquals(sum / 10, value(config.withReduction(Reduction.DIV_L)), 1e-12);
    assertEquals(sum / 5, value(config.withReduction(Reduction.DIV_M)), 1e-12);
    Tensor students = torch.cat(new TensorVector(tensor(T), tensor(S)), 0);
    Tensor teachers = torch.cat(new TensorVector(tensor(T), tensor(T)), 0);
    for (BatchRule rule : BatchRule.values()) {
      double batch =
          config.withBatch(rule).forwardRows(students, teachers, 1, null, 0).item_double();
      assertEquals(rule == BatchRule.MEAN ? sum / 2 : sum, batch, 1e-12);
    }
  }

  // Bad input: what the sentence must say.

  private static void refused(String sentence, Executable call) {
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, call);
    assertEquals("global structural " + sentence, error.getMessage());
  }

  private static final GlobalStructuralLoss LOSS = GlobalStructuralLoss.standard();

  @Test
  void rejectsLabelsOutsideTheClassesNamingValueAndRange() {
    Tensor map = torch.ones(1, 4, 1, 3);
    Tensor logits = torch.ones(1, 2, 1, 3);
    for (ScalarType dtype : new ScalarType[] {ScalarType.Int, ScalarType.Long}) {
      refused(
          "loss: labels has the value 7, expected 0 to 1 (the channels of teacherLogits), the"
              + " ignoreIndex 255, or -1",
          () ->
              LOSS.forward(
                  map, map, logits, Tensor.create(new int[] {0, 7, -1}, 1, 1, 3).to(dtype), 0));
    }
    refused(
        "loss: labels has the value -3, expected 0 to 1 (the channels of teacherLogits), the"
            + " ignoreIndex 255, or -1",
        () -> LOSS.forward(map, map, logits, Tensor.create(new int[] {0, -3, 1}, 1, 1, 3), 0));
    refused(
        "loss: labels has the value 254, expected 0 to 1 (the channels of teacherLogits), the"
            + " ignoreIndex 255, or -1",
        () ->
            LOSS.forward(
                map,
                map,
                logits,
                Tensor.create(new int[] {0, 254, 255}, 1, 1, 3).to(ScalarType.Byte),
                0));
  }

  @Test
  void rejectsMissingLogitsAndLabelsSayingWhatToDo() {
    Tensor map = torch.ones(1, 4, 2, 3);
    refused(
        "loss: teacherLogits is null, but samples are pixels that the teacher gets right: pass it,"
            + " or use withTeacherCorrectOnly(false)",
        () -> LOSS.forward(map, map, 0));
    refused(
        "loss: labels is null, but samples are pixels that the teacher gets right: pass it, or use"
            + " withTeacherCorrectOnly(false), or Sampling.random(samples)",
        () -> LOSS.forward(map, map, map, null, 0));
  }

  @Test
  void rejectsLogitsThatDoNotFit() {
    Tensor map = torch.ones(1, 4, 2, 3);
    Tensor labels = torch.zeros(1, 2, 3).to(ScalarType.Long);
    refused(
        "loss: teacherLogits [1, 4, 5, 3] and teacher [1, 4, 2, 3] differ in batch, height or"
            + " width: resize the logits to the feature map",
        () -> LOSS.forward(map, map, torch.ones(1, 4, 5, 3), labels, 0));
  }

  @Test
  void rejectsSamplesAndPermutationsThatDoNotFit() {
    Tensor map = torch.ones(1, 4, 2, 3);
    Tensor counts = Tensor.create(new int[] {3, 1}, 1, 2);
    refused(
        "loss: indices has the value 6, expected 0 to 5",
        () -> LOSS.forwardAt(map, map, samples(new int[] {0, 6, 1}, counts), null, 0));
    refused(
        "loss: counts promises 3 samples, but indices [1, 2] holds fewer",
        () -> LOSS.forwardAt(map, map, samples(new int[] {0, 1}, counts), null, 0));
    GlobalStructuralSamples good = samples(new int[] {0, 1, 5}, counts);
    refused(
        "loss: permutation [3, 2] is Int, expected Int [3, 3], or one for each image",
        () -> LOSS.forwardAt(map, map, good, torch.zeros(3, 2).to(ScalarType.Int), 0));
    refused(
        "loss: permutation has a row that is no permutation of 0 to 2",
        () -> LOSS.forwardAt(map, map, good, torch.zeros(3, 3).to(ScalarType.Int), 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new GlobalStructuralSamples(torch.zeros(1, 3), counts));
  }

  private static GlobalStructuralSamples samples(int[] indices, Tensor counts) {
    return new GlobalStructuralSamples(Tensor.create(indices, 1, indices.length), counts);
  }

  @Test
  void rejectsImpossibleSamplings() {
    refused("sampling: samples is 0, expected 1 or more", () -> Sampling.standard().withSamples(0));
    refused(
        "sampling: samples is 3, expected 4 or more",
        () -> Sampling.standard().withStrategy(Strategy.RANDOM_GRID, 3));
    refused(
        "sampling: minCandidates is 0, expected 1 or more",
        () -> Sampling.standard().withMinCandidates(0));
  }
}
