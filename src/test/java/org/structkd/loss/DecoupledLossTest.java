package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The two parts of a distillation: what each sees, and numbers that would cancel. */
@InScope
class DecoupledLossTest {
  private static final DecoupledLoss TRUE = new DecoupledLoss(1, 0, 1, false);
  private static final DecoupledLoss OTHERS = new DecoupledLoss(0, 1, 1, false);

  private static double value(DecoupledLoss loss, Tensor student, Tensor teacher, Tensor labels) {
    return loss.forward(student, teacher, labels, 255).item_double();
  }

  /** The publication's identity: KL = TCKD + (1 - teacher's probability of the true class) NCKD. */
  @Test
  void thePartsMakeUpTheDivergence() {
    Tensor student = Tensors.gaussian(1, 1, 5);
    Tensor teacher = Tensors.gaussian(2, 1, 5);
    Tensor label = Tensor.create(new long[] {3});
    double rest = 1 - torch.softmax(teacher, 1).select(1, 3).item_double();
    assertEquals(
        PixelwiseLoss.kd().forward(student, teacher).item_double(),
        value(TRUE, student, teacher, label) + rest * value(OTHERS, student, teacher, label),
        1e-14);
  }

  @Test
  void theOthersDoNotSeeTheTrueClass() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 4, 5), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 4, 5);
    Tensor labels = Tensor.create(new long[] {2, 2, 2, 2});
    double before = value(OTHERS, student, teacher, labels);
    OTHERS.forward(student, teacher, labels, 255).backward();
    assertEquals(0, student.grad().select(1, 2).abs().max().item_double());
    assertTrue(student.grad().select(1, 1).abs().max().item_double() > 0);
    Tensor other = teacher.clone();
    other.select(1, 2).fill_(new Scalar(900)); // its exponential overflows
    assertEquals(before, value(OTHERS, student, other, labels), 1e-14);
    Tensor again = Tensors.leaf(student, ScalarType.Double);
    OTHERS.forward(again, other, labels, 255).backward();
    assertTrue(Tensors.relativeError(again.grad(), student.grad()) < 1e-13);
  }

  /** 1 - p[y] is exp(-40): f32 would subtract it from 1 and have 0. */
  @Test
  void aSureStudentKeepsItsDigits() {
    Tensor student = Tensor.create(new double[] {40, 0, 0}, 1, 3);
    Tensor teacher = Tensor.create(new double[] {1, 0, 0}, 1, 3);
    Tensor label = Tensor.create(new long[] {0});
    double exact = value(TRUE, student, teacher, label);
    float value =
        TRUE.forward(student.to(ScalarType.Float), teacher.to(ScalarType.Float), label, 255)
            .item_float();
    assertEquals(1, value / exact, 1e-6);
    assertTrue(exact > 10, "value " + exact);
  }

  @Test
  void aMapIsManyImagesAndPixelsWithoutLabelTakeNoPart() {
    DecoupledLoss loss = DecoupledLoss.standard();
    Tensor student = Tensors.gaussian(1, 1, 5, 2, 2);
    Tensor teacher = Tensors.gaussian(2, 1, 5, 2, 2);
    Tensor labels = Tensor.create(new long[] {0, 4, 255, -1}, 1, 2, 2);
    Tensor rows = student.permute(0, 2, 3, 1).reshape(4, 5).narrow(0, 0, 2);
    Tensor teacherRows = teacher.permute(0, 2, 3, 1).reshape(4, 5).narrow(0, 0, 2);
    double expected = value(loss, rows, teacherRows, Tensor.create(new long[] {0, 4}));
    assertEquals(expected, value(loss, student, teacher, labels), 1e-13);
    for (Tensor map : new Tensor[] {student, teacher}) {
      map.select(2, 1).fill_(new Scalar(Double.NaN)); // the second row has no labels
    }
    Tensor leaf = Tensors.leaf(student, ScalarType.Double);
    Tensor found = loss.forward(leaf, teacher, labels, 255);
    assertEquals(expected, found.item_double(), 1e-13);
    found.backward();
    assertEquals(0, leaf.grad().select(2, 1).abs().max().item_double());
  }

  /** Any offset and any scale of a pixel's logits. */
  @Test
  void standardizedLogitsHaveNoScale() {
    DecoupledLoss loss = DecoupledLoss.standardized();
    Tensor student = Tensors.gaussian(1, 4, 6);
    Tensor teacher = Tensors.gaussian(2, 4, 6);
    Tensor labels = Tensor.create(new long[] {0, 1, 2, 3});
    double expected = value(loss, student, teacher, labels);
    Tensor other = student.mul(new Scalar(7)).add(new Scalar(3));
    assertEquals(expected, value(loss, other, teacher, labels), 1e-5 * expected); // the 1e-7
    Tensor equal = Tensors.leaf(torch.ones(4, 6), ScalarType.Float);
    loss.forward(equal, teacher.to(ScalarType.Float), labels, 255).backward();
    assertTrue(equal.grad().isfinite().all().item_bool());
  }

  @Test
  void whatHasNoMeaningIsRefused() {
    Tensor two = Tensors.gaussian(1, 3, 2);
    Tensor labels = Tensor.create(new long[] {0, 1, 1});
    assertTrue(refusal(() -> value(OTHERS, two, two, labels)).contains("has two classes"));
    assertTrue(value(TRUE, two, two.neg(), labels) > 0);
    Tensor one = Tensors.gaussian(1, 3, 1);
    assertTrue(refusal(() -> value(TRUE, one, one, labels)).contains("has one channel"));
    Tensor none = Tensor.create(new long[] {0, 1, 2});
    assertTrue(
        refusal(() -> value(TRUE, two, two, none))
            .contains("labels has the value 2, expected 0 to 1"));
    assertTrue(refusal(() -> new DecoupledLoss(0, 0, 1, false)).contains("expected one of them"));
  }
}
