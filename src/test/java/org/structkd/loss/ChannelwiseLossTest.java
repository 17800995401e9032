package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.OnBackend;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class ChannelwiseLossTest {
  private static final ChannelwiseLoss CIRKD = ChannelwiseLoss.cirkd();

  // Channels that are turned over, rows, and rows of several parts.
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleForAllSizesAndTemperatures(StudentTeacher.Kind kind) {
    for (long[] shape : new long[][] {{2, 5, 3, 5}, {2, 3, 19, 27}, {1, 2, 65, 65}}) {
      for (double temperature : new double[] {4, 1, 0.3}) {
        AccuracyRule.check(
            CIRKD.withTemperature(temperature)::forward, kind, ScalarType.Float, shape);
      }
    }
  }

  // A difference of 1e-4 in activations: a KL that is a difference of two log-sums is noise here.
  @Test
  void keepsItsRelativePrecisionNextToTheTeacher() {
    Tensor teacher = Tensors.gaussian(1, 1, 3, 33, 33).to(ScalarType.Float);
    Tensor noise = Tensors.gaussian(2, 1, 3, 33, 33).to(ScalarType.Float);
    Tensor start = teacher.add(noise.mul(new Scalar(1e-4)));
    Tensor student = Tensors.leaf(start, ScalarType.Float);
    Tensor loss = CIRKD.forward(student, teacher);
    loss.backward();
    Tensor truthStudent = Tensors.leaf(start, ScalarType.Double);
    Tensor truth =
        OnBackend.of("composed", () -> CIRKD.forward(truthStudent, teacher.to(ScalarType.Double)));
    truth.backward();
    // Exponentials of f32 are off by an ulp or two: with AVX2 the value by 1.2e-6 of it.
    assertEquals(truth.item_double(), loss.item_double(), 4e-6 * truth.item_double());
    assertTrue(Tensors.relativeError(student.grad(), truthStudent.grad()) < 4e-6);
  }

  // Value and absolute gradient sum that CIRKD's code gave.
  @Test
  void reproducesCirkdAtTemperatureOne() {
    Tensor student = Tensors.sine(2.0, 0.7, 0.3, 0, 2, 5, 3, 4);
    Tensor teacher = Tensors.sine(3.0, 1.3, 1.1, 0, 2, 5, 3, 4);
    for (ScalarType dtype : new ScalarType[] {ScalarType.Double, ScalarType.Float}) {
      double tolerance = dtype == ScalarType.Double ? 1e-10 : 1e-5;
      Tensor leaf = Tensors.leaf(student, dtype);
      Tensor loss = CIRKD.withTemperature(1).forward(leaf, teacher.to(dtype));
      loss.backward();
      assertEquals(1.659774821898757, loss.item_double(), 1.66 * tolerance);
      assertEquals(1.270754584871394, leaf.grad().abs().sum().item_double(), 1.27 * tolerance);
    }
  }

  @Test
  void mmrazorIsCirkdAtTemperatureOne() {
    assertEquals(CIRKD.withTemperature(1), ChannelwiseLoss.mmrazor());
    assertEquals(4, CIRKD.temperature());
  }

  @Test
  void theTemperatureScalesActivationsAndValue() {
    Tensor student = Tensors.gaussian(1, 2, 3, 5, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 3, 5, 5);
    Scalar four = new Scalar(4.0);
    double plain =
        ChannelwiseLoss.mmrazor().forward(student.div(four), teacher.div(four)).item_double();
    assertEquals(16 * plain, CIRKD.forward(student, teacher).item_double(), 1e-12);
  }

  @Test
  void seesPlacesAndNoLevels() {
    Tensor map = Tensors.gaussian(1, 2, 3, 5, 5);
    Tensor levels = Tensors.gaussian(2, 2, 3, 1, 1);
    assertEquals(0.0, CIRKD.forward(map, map.add(levels)).item_double(), 1e-14);
    assertTrue(CIRKD.forward(map, map.flip(3)).item_double() > 0.1);
  }

  @Test
  void positionsThatTakeNoPartAreAsIfTheyWereNotThere() {
    Tensor student = Tensors.gaussian(1, 3, 4, 3, 6);
    Tensor teacher = Tensors.gaussian(2, 3, 4, 3, 6);
    Tensor labels = torch.zeros(3, 3, 6).to(ScalarType.Long);
    labels.narrow(1, 1, 2).fill_(new Scalar(255L)); // the first row of all images is left
    labels.narrow(0, 2, 1).fill_(new Scalar(255L)); // but nothing of the last one
    double cut =
        CIRKD
            .forward(
                student.narrow(0, 0, 2).narrow(2, 0, 1), teacher.narrow(0, 0, 2).narrow(2, 0, 1))
            .item_double();
    Tensor leaf = Tensors.leaf(student, ScalarType.Double);
    Tensor masked = CIRKD.forward(leaf, teacher, labels, 255);
    assertEquals(cut, masked.item_double(), 1e-12 * cut);
    masked.backward();
    assertEquals(0.0, leaf.grad().narrow(2, 1, 2).abs().max().item_double());
    assertEquals(0.0, leaf.grad().narrow(0, 2, 1).abs().max().item_double());
    assertTrue(
        leaf.grad().narrow(0, 0, 2).narrow(2, 0, 1).abs().min().item_double() > 0,
        "a position that takes part has no gradient");
    Tensor mask = labels.ne(new Scalar(255L));
    assertEquals(masked.item_double(), CIRKD.forward(student, teacher, mask).item_double());
  }

  @Test
  void tokensAreMapsOfOneColumn() {
    Tensor student = Tensors.gaussian(1, 2, 4, 3, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 4, 3, 5);
    Tensor studentTokens = student.flatten(2, 3).transpose(1, 2);
    Tensor teacherTokens = teacher.flatten(2, 3).transpose(1, 2);
    double expected = CIRKD.forward(student, teacher).item_double();
    double tokens = CIRKD.forward(studentTokens, teacherTokens).item_double();
    assertEquals(expected, tokens, 1e-13 * expected);
  }

  // Bad input: what the sentence must say.

  private static void refused(String sentence, Runnable call) {
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, call::run);
    assertEquals(sentence, error.getMessage());
  }

  @Test
  void rejectsWhatDoesNotFit() {
    Tensor map = torch.zeros(1, 4, 5, 5);
    refused(
        "channel-wise loss: student [1, 4, 5, 5] and teacher [1, 3, 5, 5] differ in number of"
            + " channels",
        () -> CIRKD.forward(map, torch.zeros(1, 3, 5, 5)));
    refused(
        "channel-wise loss: mask is Float, expected Bool or Byte: compare it first, as in"
            + " mask.gt(0)",
        () -> CIRKD.forward(map, map, torch.ones(1, 5, 5)));
    refused(
        "channel-wise loss: it would be constant and teach nothing: student [1, 4, 1, 1] has one"
            + " position, and a softmax over one position is 1 whatever its activation; expected a"
            + " larger map",
        () -> CIRKD.forward(torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)));
  }
}
