package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

/** Likeness between positions and channels of all images: the published numbers, and by hand. */
@InScope
@Tag("emulated")
class CrossImageRelationLossTest {
  private static final CrossImageRelationLoss LOSS = CrossImageRelationLoss.cirkd();
  private static final CrossImageRelationLoss CHANNELS = CrossImageRelationLoss.cirkdv2Channel();

  /** Value and sums of the gradient that the released code gave. */
  @Test
  void theReleasedCodeGivesTheSame() {
    Tensor student = Tensors.leaf(Tensors.sine(1, 0.37, 0.2, 0, 2, 6, 6, 8), ScalarType.Double);
    Tensor teacher = Tensors.sine(1.5, 0.61, 0.9, 0, 2, 6, 6, 8);
    Tensor loss = LOSS.forward(student, teacher);
    assertEquals(9.317549534496278, loss.item_double(), 1e-12);
    loss.backward();
    assertEquals(1.6041079167858288, student.grad().abs().sum().item_double(), 1e-12);
    assertEquals(-0.011697463182373774, student.grad().sum().item_double(), 1e-12);
    Tensor narrow = LOSS.forward(student.to(ScalarType.Float), teacher.to(ScalarType.Float));
    assertEquals(9.317549534496278, narrow.item_double(), 1e-5);
  }

  /** Two positions, orthogonal in the student and parallel in the teacher. */
  @Test
  void twoPositionsByHand() {
    Tensor student = torch.eye(2).view(1, 2, 1, 2);
    Tensor teacher =
        torch.cat(new TensorVector(torch.ones(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)), 1);
    double value = LOSS.withTemperature(1).forward(student, teacher).item_double();
    assertEquals(Math.log(Math.E + 1) - 0.5 - Math.log(2), value, 1e-6);
  }

  @Test
  void lengthsAndOrderOfChannelsMakeNoDifference() {
    Tensor student = Tensors.gaussian(1, 2, 5, 4, 6);
    Tensor teacher = Tensors.gaussian(2, 2, 7, 4, 6);
    double value = LOSS.forward(student, teacher).item_double();
    Tensor lengths = Tensors.gaussian(3, 2, 1, 4, 6).square().add(new Scalar(0.1));
    double changed = LOSS.forward(student.mul(lengths).flip(1), teacher).item_double();
    assertEquals(value, changed, 1e-12 * value);
  }

  /** The mean over both images and the pairs of them, of which two are of one image. */
  @Test
  void imagesAreComparedWithEachOther() {
    Tensor student = Tensors.gaussian(1, 2, 5, 4, 6);
    Tensor teacher = Tensors.gaussian(2, 2, 5, 4, 6);
    double both = LOSS.forward(student, teacher).item_double();
    double first = LOSS.forward(student.narrow(0, 0, 1), teacher.narrow(0, 0, 1)).item_double();
    double second = LOSS.forward(student.narrow(0, 1, 1), teacher.narrow(0, 1, 1)).item_double();
    double across = 2 * both - (first + second) / 2; // mean of (0,1) and (1,0)
    assertTrue(across > 0 && Math.abs(across - (first + second) / 2) > 1e-3, across + "");
  }

  @Test
  void channelsAreThePositionsOfTheTurnedMap() {
    Tensor student = Tensors.gaussian(1, 2, 6, 9, 10); // 9 and 10: the last windows are cut off
    Tensor teacher = Tensors.gaussian(2, 2, 6, 9, 10);
    Pooling pooling = Pooling.average(4, 4);
    double value = CHANNELS.forward(student, teacher).item_double();
    assertEquals(
        LOSS.forward(turned(pooling.apply(student)), turned(pooling.apply(teacher))).item_double(),
        value,
        1e-12 * value);
  }

  private static Tensor turned(Tensor map) {
    return map.flatten(2, -1).transpose(1, 2).unsqueeze(-1).contiguous();
  }

  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRuleAroundTileEdges(StudentTeacher.Kind kind) {
    // Batch of two: few nodes in f64; then around panels of 32 and passes of 96.
    for (long width : new long[] {2, 32, 33, 97}) {
      AccuracyRule.check(LOSS::forward, kind, ScalarType.Float, 2, 24, 1, width);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0.003, temperature is 0.003",
    "NaN, temperature is NaN",
    "Infinity, temperature is Infinity",
    "-1, temperature is -1.0"
  })
  void impossibleTemperaturesAreRefused(double temperature, String sentence) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> LOSS.withTemperature(temperature));
    assertEquals(
        "cross-image relation loss: " + sentence + ", expected a finite number of at least 1/256",
        e.getMessage());
  }

  @Test
  void whatTeachesNothingIsRefused() {
    assertRefused(LOSS, "has one position to compare in each image", 2, 4, 1, 1);
    assertRefused(LOSS, "has one channel, so that every cosine is 1 or -1", 2, 1, 3, 3);
    assertRefused(CHANNELS, "has one position, so that every cosine of channels", 2, 3, 4, 3);
    assertRefused(CHANNELS, "has one channel to compare in each image", 2, 1, 8, 8);
  }

  @Test
  void channelsThatDifferAreRefusedBetweenChannels() {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                CHANNELS.forward(Tensors.gaussian(1, 2, 3, 8, 8), Tensors.gaussian(1, 2, 4, 8, 8)));
    assertTrue(e.getMessage().endsWith("differ in number of channels"), e.getMessage());
  }

  private static void assertRefused(CrossImageRelationLoss loss, String sentence, long... shape) {
    Tensor map = Tensors.gaussian(1, shape);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> loss.forward(map, map));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }
}
