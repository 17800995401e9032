package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.PixelwiseLoss.Divergence;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.OnBackend;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class PixelwiseLossTest {
  private static final PixelwiseLoss KD = PixelwiseLoss.kd();

  private static PixelwiseLoss of(Divergence divergence, double temperature) {
    return PixelwiseLoss.kd().withTemperature(temperature).withDivergence(divergence);
  }

  private static PixelwiseLoss preset(String name) {
    return switch (name) {
      case "skd" -> PixelwiseLoss.skd();
      case "skdPaper" -> PixelwiseLoss.skdPaper();
      case "kd" -> PixelwiseLoss.kd();
      case "aicsd" -> PixelwiseLoss.aicsd();
      default -> throw new IllegalArgumentException(name);
    };
  }

  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleForAllClassCountsAndTemperatures(StudentTeacher.Kind kind) {
    for (Divergence divergence : Divergence.values()) {
      for (long classes : new long[] {2, 19, 171, 350}) { // 171, 350: smaller tiles
        for (double temperature : new double[] {1, 4, 0.7}) {
          AccuracyRule.check(
              of(divergence, temperature)::forward, kind, ScalarType.Float, 2, classes, 5, 13);
        }
      }
    }
  }

  // A difference of 1e-4 in logits: in f32 a KL that is a difference of two log-sums is noise here.
  @Test
  void keepsItsRelativePrecisionNextToTheTeacher() {
    Tensor teacher = Tensors.gaussian(1, 1, 19, 16, 16).to(ScalarType.Float);
    Tensor noise = Tensors.gaussian(2, 1, 19, 16, 16).to(ScalarType.Float);
    Tensor start = teacher.add(noise.mul(new Scalar(1e-4)));
    Tensor student = Tensors.leaf(start, ScalarType.Float);
    Tensor loss = KD.forward(student, teacher);
    loss.backward();
    Tensor truthStudent = Tensors.leaf(start, ScalarType.Double);
    Tensor truth =
        OnBackend.of("composed", () -> KD.forward(truthStudent, teacher.to(ScalarType.Double)));
    truth.backward();
    assertEquals(truth.item_double(), loss.item_double(), 1e-6 * truth.item_double());
    assertTrue(Tensors.relativeError(student.grad(), truthStudent.grad()) < 1e-6);
  }

  // Values and absolute gradient sums that the released codes gave; skdPaper: the paper's formula,
  // restated independently.
  @ParameterizedTest
  @CsvSource({
    "skd, 5, 3, 4, 4.812634904342865, 2.2487441532176655",
    "kd, 5, 3, 4, 1.3476121570388495, 1.1243720766088328",
    "aicsd, 21, 4, 5, 0.07919566353508684, 0.06022446959094174",
    "skdPaper, 5, 3, 4, 1.7739979665903383, 1.7692656494459913"
  })
  void presetsReproduceThePublishedCodes(
      String name, long k, long h, long w, double expected, double expectedGradient) {
    Tensor student = Tensors.sine(2.0, 0.7, 0.3, 0, 2, k, h, w);
    Tensor teacher = Tensors.sine(3.0, 1.3, 1.1, 0, 2, k, h, w);
    for (ScalarType dtype : new ScalarType[] {ScalarType.Double, ScalarType.Float}) {
      double tolerance = dtype == ScalarType.Double ? 1e-10 : 1e-5;
      Tensor leaf = Tensors.leaf(student, dtype);
      Tensor loss = preset(name).forward(leaf, teacher.to(dtype));
      loss.backward();
      assertEquals(expected, loss.item_double(), tolerance * expected);
      double gradient = leaf.grad().abs().sum().item_double();
      assertEquals(expectedGradient, gradient, tolerance * expectedGradient);
    }
  }

  @Test
  void temperatureSquaredMultipliesValueAndGradient() {
    Tensor student = Tensors.gaussian(1, 1, 4, 5, 5);
    Tensor teacher = Tensors.gaussian(2, 1, 4, 5, 5);
    PixelwiseLoss with = PixelwiseLoss.kd().withTemperature(3);
    PixelwiseLoss without = PixelwiseLoss.kd().withTemperature(3).withTemperatureSquared(false);
    double plain = without.forward(student, teacher).item_double();
    assertEquals(9 * plain, with.forward(student, teacher).item_double(), 1e-12);
  }

  @Test
  void maskedPixelsHaveNoLossNoGradientAndAreNotCounted() {
    Tensor student = Tensors.gaussian(1, 2, 4, 3, 6);
    Tensor teacher = Tensors.gaussian(2, 2, 4, 3, 6);
    Tensor mask = torch.cat(new TensorVector(torch.ones(2, 1, 6), torch.zeros(2, 2, 6)), 1);
    for (String name : new String[] {"skd", "skdPaper", "kd", "aicsd"}) {
      PixelwiseLoss loss = preset(name);
      double cut = loss.forward(student.narrow(2, 0, 1), teacher.narrow(2, 0, 1)).item_double();
      for (ScalarType type : new ScalarType[] {ScalarType.Bool, ScalarType.Byte}) {
        Tensor leaf = Tensors.leaf(student, ScalarType.Double);
        Tensor masked = loss.forward(leaf, teacher, mask.to(type));
        assertEquals(cut, masked.item_double(), 1e-12 * cut);
        masked.backward();
        assertEquals(0.0, leaf.grad().narrow(2, 1, 2).abs().max().item_double());
        assertTrue(leaf.grad().narrow(2, 0, 1).abs().min().item_double() > 0);
      }
    }
  }

  // Bad input: what the sentence must say.

  @Test
  void rejectsDifferentShapesNamingBoth() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "pixel-wise loss: student [1, 4, 5, 5] and teacher [1, 4, 5, 6] differ in height and width:"
            + " resize one of them, in a term by resize_teacher of a recipe or"
            + " withTeacherResized() of Java",
        () -> KD.forward(map, torch.zeros(1, 4, 5, 6)));
    refused(
        "pixel-wise loss: student [1, 4, 5, 5] and teacher [1, 3, 5, 5] differ in number of"
            + " channels",
        () -> KD.forward(map, torch.zeros(1, 3, 5, 5)));
    refused(
        "pixel-wise loss: student [1, 4, 5, 5] and teacher [2, 4, 5, 5] differ in batch size",
        () -> KD.forward(map, torch.zeros(2, 4, 5, 5)));
  }

  @Test
  void rejectsMasksAndLabelsThatDoNotFit() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "pixel-wise loss: mask [1, 5, 4] does not fit student [1, 4, 5, 5], expected [1, 5, 5]",
        () -> KD.forward(map, map, torch.ones(1, 5, 4).to(ScalarType.Bool)));
    refused(
        "pixel-wise loss: mask is Float, expected Bool or Byte: compare it first, as in mask.gt(0)",
        () -> KD.forward(map, map, torch.ones(1, 5, 5)));
    refused(
        "pixel-wise loss: labels [2, 10, 10] does not fit student [1, 4, 5, 5], expected [batch,"
            + " height, width]",
        () -> KD.forward(map, map, torch.ones(2, 10, 10).to(ScalarType.Long), 255));
    refused(
        "pixel-wise loss: labels is Float, expected integers",
        () -> KD.forward(map, map, torch.ones(1, 5, 5), 255));
  }

  /** Any offset and any scale of a pixel's logits; what takes no part may be anything. */
  @Test
  void standardizedLogitsHaveNoScale() {
    PixelwiseLoss loss = PixelwiseLoss.standardized();
    Tensor student = Tensors.gaussian(1, 2, 6, 3, 4);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 3, 4);
    double expected = loss.forward(student, teacher).item_double();
    Tensor other = student.mul(new Scalar(7)).add(new Scalar(3));
    assertEquals(expected, loss.forward(other, teacher).item_double(), 1e-5 * expected); // its 1e-7
    Tensor mask = torch.ones(2, 3, 4).to(ScalarType.Bool);
    mask.select(0, 1).fill_(new Scalar(0));
    student.select(0, 1).fill_(new Scalar(Double.NaN));
    Tensor leaf = Tensors.leaf(student, ScalarType.Double);
    Tensor found = loss.forward(leaf, teacher, mask);
    assertEquals(
        loss.forward(student.narrow(0, 0, 1), teacher.narrow(0, 0, 1)).item_double(),
        found.item_double(),
        1e-14);
    found.backward();
    assertEquals(0, leaf.grad().select(0, 1).abs().max().item_double());
    Tensor equal = Tensors.leaf(torch.ones(2, 6, 3, 4), ScalarType.Float);
    loss.forward(equal, teacher.to(ScalarType.Float)).backward();
    assertTrue(equal.grad().isfinite().all().item_bool());
  }
}
