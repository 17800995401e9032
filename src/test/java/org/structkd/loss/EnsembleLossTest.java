package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.loss.EnsembleLoss.Form;
import org.structkd.objective.StepInputs;
import org.structkd.objective.Term;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The mean of teachers by hand, and what does not fit together. */
@InScope
class EnsembleLossTest {
  private static LossInputs inputs(Tensor student, Tensor... teachers) {
    Map<String, Tensor> named = new HashMap<>();
    for (int i = 0; i < teachers.length; i++) {
      named.put("teachers." + i, teachers[i]);
    }
    return new LossInputs(
        Map.of("logits", student), named, Map.of(), Map.of(), OptionalLong.empty(), 0, null);
  }

  /** Logits of one sample whose softmax has these values. */
  private static Tensor saying(double... probabilities) {
    double[] logits = new double[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = Math.log(probabilities[i]);
    }
    return Tensor.create(logits, 1, logits.length);
  }

  @Test
  void probabilitiesAreAveragedNotLogits() {
    Tensor student = Tensors.leaf(saying(0.5, 0.25, 0.25), ScalarType.Double);
    Tensor sure = saying(0.9, 0.05, 0.05);
    Tensor other = saying(0.1, 0.2, 0.7);
    double[] q = {0.5, 0.125, 0.375};
    double[] p = {0.5, 0.25, 0.25};
    double kl = 0;
    double crossEntropy = 0;
    for (int k = 0; k < 3; k++) {
      kl += q[k] * Math.log(q[k] / p[k]);
      crossEntropy -= q[k] * Math.log(p[k]);
    }
    Tensor loss = EnsembleLoss.meanOfProbabilities().forward(inputs(student, sure, other));
    assertEquals(kl, loss.item_double(), 1e-15);
    loss.backward();
    double[] gradient = Tensors.values(student.grad());
    for (int k = 0; k < 3; k++) {
      assertEquals(p[k] - q[k], gradient[k], 1e-15);
    }
    assertEquals(
        crossEntropy,
        EnsembleLoss.softLabels().forward(inputs(student, sure, other)).item_double(),
        1e-15);
  }

  @Test
  void weightsAreShares() {
    Tensor student = saying(0.5, 0.5);
    Tensor one = saying(0.8, 0.2);
    Tensor two = saying(0.2, 0.8);
    double q = 0.75 * 0.8 + 0.25 * 0.2;
    double expected = q * Math.log(q / 0.5) + (1 - q) * Math.log((1 - q) / 0.5);
    EnsembleLoss loss = new EnsembleLoss(Form.KL, 1, List.of(6.0, 2.0));
    assertEquals(expected, loss.forward(inputs(student, one, two)).item_double(), 1e-15);
    EnsembleLoss first = new EnsembleLoss(Form.KL, 1, List.of(1.0, 0.0));
    Tensor broken = Tensor.create(new double[] {Double.NaN, 0}, 1, 2);
    assertEquals(
        EnsembleLoss.meanOfProbabilities().forward(inputs(student, one)).item_double(),
        first.forward(inputs(student, one, broken)).item_double());
  }

  @Test
  void oneTeacherIsThePixelwiseLoss() {
    Tensor student = Tensors.gaussian(1, 2, 5, 3, 4);
    Tensor teacher = Tensors.gaussian(2, 2, 5, 3, 4);
    for (double temperature : new double[] {0.1, 1, 8}) {
      double expected =
          PixelwiseLoss.kd().withTemperature(temperature).forward(student, teacher).item_double();
      EnsembleLoss loss = new EnsembleLoss(Form.KL, temperature, List.of());
      double found = loss.forward(inputs(student, teacher)).item_double();
      assertEquals(expected, found, 1e-12 * expected);
    }
  }

  /** In f32 the least probability is e^-800 here, far below what an f32 or f64 holds. */
  @Test
  void noProbabilityUnderflows() {
    Tensor student = Tensor.create(new double[] {0, 800}, 1, 2).to(ScalarType.Float);
    Tensor teacher = Tensor.create(new double[] {800, 0}, 1, 2).to(ScalarType.Float);
    double value =
        EnsembleLoss.meanOfProbabilities().forward(inputs(student, teacher, teacher)).item_double();
    assertEquals(800, value, 1e-3);
  }

  @Test
  void aTermReadsATapOfEachTeacher() {
    Term term =
        Term.of(EnsembleLoss.meanOfProbabilities(), "logits", "face.logits")
            .withTeacher("teachers.1", "eyes.logits");
    Tensor face = saying(0.9, 0.1);
    Tensor eyes = saying(0.3, 0.7);
    StepInputs step =
        new StepInputs(
            Map.of("logits", saying(0.6, 0.4)),
            Map.of("face.logits", face, "eyes.logits", eyes),
            null,
            0);
    double value = term.loss().forward(term.inputs(step, null)).item_double();
    assertEquals(0, value, 1e-15);
  }

  private static String refused(EnsembleLoss loss, LossInputs inputs) {
    return assertThrows(IllegalArgumentException.class, () -> loss.forward(inputs)).getMessage();
  }

  @Test
  void whatDoesNotFitTogetherIsRefused() {
    EnsembleLoss loss = EnsembleLoss.meanOfProbabilities();
    Tensor two = saying(0.5, 0.5);
    Tensor three = saying(0.5, 0.25, 0.25);
    assertTrue(refused(loss, inputs(two, two, three)).contains("differ in number of channels"));
    assertTrue(refused(loss, inputs(Tensor.create(new double[1], 1, 1))).contains("teachers"));
    assertTrue(refused(loss, inputs(two)).contains("teacher has no output \"teachers.0\""));
    assertEquals(
        "ensemble loss: weights has 3 numbers, but there are 2 teachers",
        refused(new EnsembleLoss(Form.KL, 1, List.of(1.0, 1.0, 1.0)), inputs(two, two, two)));
    for (List<Double> weights :
        List.of(List.of(0.0, 0.0), List.of(-1.0, 2.0), List.of(Double.NaN))) {
      assertThrows(IllegalArgumentException.class, () -> new EnsembleLoss(Form.KL, 1, weights));
    }
    for (double temperature : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(
          IllegalArgumentException.class, () -> new EnsembleLoss(Form.KL, temperature, List.of()));
    }
    assertThrows(IllegalArgumentException.class, () -> new EnsembleLoss(null, 1, List.of()));
  }
}
