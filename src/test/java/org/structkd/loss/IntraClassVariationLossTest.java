package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
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
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

/** Centres of classes: what belongs to them, what is counted, and degenerate maps. */
@InScope
@Tag("emulated")
class IntraClassVariationLossTest {
  private static final IntraClassVariationLoss LOSS = new IntraClassVariationLoss(3);

  /** Labels 0, 1, 2 and 3, which is no class of three, in turn. */
  private static Tensor labels(long... sizes) {
    long count = 1;
    for (long size : sizes) {
      count *= size;
    }
    return torch.arange(new Scalar(count)).remainder(new Scalar(4)).view(sizes).to(ScalarType.Long);
  }

  private static String refused(Runnable call) {
    return assertThrows(IllegalArgumentException.class, call::run).getMessage();
  }

  // Tiles of 64 positions and blocks of 32 channels, one less and one more.
  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleAroundTileEdges(StudentTeacher.Kind kind) {
    for (long width : new long[] {63, 64, 65}) {
      Tensor labels = labels(2, 1, width);
      for (long channels : new long[] {2, 31, 33}) {
        AccuracyRule.check(
            (student, teacher) -> LOSS.forward(student, teacher, labels),
            kind,
            ScalarType.Float,
            2,
            channels,
            1,
            width);
      }
    }
  }

  /** Positions (1, 0) and (0, 1) of class 0: the cosine with their centre is 1 / sqrt 2. */
  @Test
  void comparesCosinesWithTheCentreOfTheClass() {
    Tensor student = Tensor.create(new double[] {1, 0, 0, 1}, 1, 2, 1, 2);
    Tensor teacher = Tensor.create(new double[] {1, 1, 0, 0}, 1, 2, 1, 2);
    Tensor labels = torch.zeros(1, 1, 2).to(ScalarType.Long);
    double gap = Math.sqrt(0.5) - 1;
    assertEquals(gap * gap, LOSS.forward(student, teacher, labels).item_double(), 1e-14);
  }

  @Test
  void lengthsAndRotationsOfFeaturesDoNotMatter() {
    Tensor student = Tensors.gaussian(1, 2, 6, 4, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 9, 4, 5);
    Tensor labels = labels(2, 4, 5);
    double value = LOSS.forward(student, teacher, labels).item_double();
    double scaled = LOSS.forward(student.mul(new Scalar(7)), teacher, labels).item_double();
    assertEquals(value, scaled, 1e-14);
    assertEquals(value, LOSS.forward(student.flip(1), teacher, labels).item_double(), 1e-14);
    assertTrue(value > 1e-2);
    assertEquals(0, LOSS.forward(teacher, teacher, labels).item_double());
  }

  @Test
  void aMapIsTheMeanOfItsImages() {
    Tensor student = Tensors.gaussian(1, 2, 6, 4, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 4, 5);
    Tensor labels = labels(2, 4, 5);
    double sum = 0;
    for (int b = 0; b < 2; b++) {
      sum +=
          LOSS.forward(student.narrow(0, b, 1), teacher.narrow(0, b, 1), labels.narrow(0, b, 1))
              .item_double();
    }
    assertEquals(sum / 2, LOSS.forward(student, teacher, labels).item_double(), 1e-14);
  }

  @Test
  void positionsOfNoClassAreCountedUnlessIgnored() {
    Tensor student = Tensors.gaussian(1, 1, 6, 4, 6);
    Tensor teacher = Tensors.gaussian(2, 1, 6, 4, 6);
    Tensor labels = labels(1, 4, 6); // a quarter has label 3
    double all = LOSS.forward(student, teacher, labels).item_double();
    assertEquals(all / 0.75, LOSS.forward(student, teacher, labels, 3).item_double(), 1e-14);
    // A class may be the one that takes no part.
    double without = LOSS.forward(student, teacher, labels, 1).item_double();
    double fewer = new IntraClassVariationLoss(1).forward(student, teacher, labels).item_double();
    assertTrue(without < all / 0.75 && without > fewer);
  }

  @Test
  void whatHasNoClassHasNoGradientAndDoesNotSpread() {
    Tensor map = Tensors.gaussian(1, 2, 6, 4, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 4, 5);
    Tensor labels = labels(2, 4, 5);
    Tensor outside = labels.eq(new Scalar(3L)).unsqueeze(1);
    Tensor student = Tensors.leaf(map, ScalarType.Double);
    LOSS.forward(student, teacher, labels).backward();
    Tensor poisoned = map.masked_fill(outside, new Scalar(Double.NaN));
    Tensor other = Tensors.leaf(poisoned, ScalarType.Double);
    LOSS.forward(other, teacher, labels).backward();
    assertArrayEquals(Tensors.values(student.grad()), Tensors.values(other.grad()));
    assertEquals(0, student.grad().masked_select(outside).abs().max().item_double());
    assertTrue(student.grad().masked_select(outside.logical_not()).abs().min().item_double() > 0);
  }

  @Test
  void zeroFeaturesCountInTheirCentreAlone() {
    Tensor map = Tensors.gaussian(1, 1, 6, 4, 5);
    map.select(2, 1).fill_(new Scalar(0));
    Tensor student = Tensors.leaf(map, ScalarType.Float);
    LOSS.forward(student, Tensors.gaussian(2, 1, 6, 4, 5), labels(1, 4, 5)).backward();
    double atZero = student.grad().select(2, 1).abs().max().item_double();
    double elsewhere = student.grad().abs().max().item_double();
    assertTrue(atZero > 0 && atZero <= elsewhere && elsewhere < 1, atZero + " " + elsewhere);
  }

  @Test
  void withoutAnyClassValueAndGradientAreZero() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 1, 6, 4, 5), ScalarType.Float);
    Tensor none = torch.full(new long[] {1, 4, 5}, new Scalar(255L)).to(ScalarType.Byte);
    for (OptionalLong ignored : new OptionalLong[] {OptionalLong.empty(), OptionalLong.of(255)}) {
      Tensor teacher = Tensors.gaussian(2, 1, 6, 4, 5);
      Tensor value =
          LOSS.measure(
                  new LossInputs(
                      Map.of("features", student),
                      Map.of("features", teacher),
                      Map.of("labels", none),
                      Map.of(),
                      ignored,
                      0,
                      null))
              .loss();
      value.backward();
      assertEquals(0, value.item_double());
      assertEquals(0, student.grad().abs().max().item_double());
    }
  }

  @Test
  void countsPositionsOfClasses() {
    LossInputs inputs =
        new LossInputs(
            Map.of("features", Tensors.gaussian(1, 2, 6, 4, 6)),
            Map.of("features", Tensors.gaussian(2, 2, 6, 4, 6)),
            Map.of("labels", labels(2, 4, 6)),
            Map.of(),
            OptionalLong.empty(),
            0,
            null);
    assertEquals(36, LOSS.measure(inputs).tookPart().item_long());
  }

  @Test
  void refusesWhatDoesNotFit() {
    Tensor map = Tensors.gaussian(1, 1, 6, 4, 5);
    Tensor labels = labels(1, 4, 5);
    assertEquals(
        "intra-class variation loss: student [1, 6, 4, 5] and teacher [1, 6, 4, 4] differ in height"
            + " and width: resize one of them, in a term by resize_teacher of a recipe or"
            + " withTeacherResized() of Java",
        refused(() -> LOSS.forward(map, map.narrow(3, 0, 4), labels)));
    assertEquals(
        "intra-class variation loss: labels is Double, expected integers",
        refused(() -> LOSS.forward(map, map, labels.to(ScalarType.Double))));
    assertEquals(
        "intra-class variation loss: it would be constant and teach nothing: student [1, 1, 4, 5]"
            + " has one channel, and its similarity to the centre of its class never changes;"
            + " expected 2 or more",
        refused(() -> LOSS.forward(map.narrow(1, 0, 1), map, labels)));
    assertEquals(
        "intra-class variation loss: numClasses is 0, expected 1 or more",
        refused(() -> LOSS.withNumClasses(0)));
  }
}
