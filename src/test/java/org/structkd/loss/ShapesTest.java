package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.structkd.loss.PairwiseLoss.Pairs;
import org.structkd.loss.Sampling.Strategy;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Tokens [B, N, C] and vectors [B, C] beside maps, and maps that pooling makes equal. */
@InScope
@Tag("emulated")
class ShapesTest {
  private static final PixelwiseLoss KD = PixelwiseLoss.kd().withTemperature(4);
  private static final PairwiseLoss PAIRWISE = PairwiseLoss.skdCvpr19();
  private static final PairwiseLoss BATCH = PairwiseLoss.skdCvpr19().withPairs(Pairs.WHOLE_BATCH);

  /** [2, 15, 4]. */
  private static Tensor tokens(long seed) {
    return Tensors.gaussian(seed, 2, 15, 4).to(ScalarType.Float);
  }

  private static Tensor asMap(Tensor tokens) {
    return tokens.transpose(1, 2).reshape(2, 4, 15, 1).contiguous();
  }

  @Test
  void vectorsArePixelsOfTheirOwn() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 6, 10), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 6, 10);
    Tensor value = KD.forward(student, teacher);
    value.backward();
    Scalar four = new Scalar(4);
    Tensor target = torch.softmax(teacher.div(four), 1);
    Tensor gap =
        torch.log_softmax(teacher.div(four), 1).sub(torch.log_softmax(student.div(four), 1));
    assertEquals(
        16 * target.mul(gap).sum().item_double() / 6, value.item_double(), 1e-13, "mean of rows");
    assertArrayEquals(new long[] {6, 10}, student.grad().shape());
    Tensor byHand =
        torch.softmax(student.detach().div(four), 1).sub(target).mul(new Scalar(4 / 6.0));
    assertTrue(Tensors.relativeError(student.grad(), byHand) < 1e-13);
  }

  @Test
  void vectorsAreNodesOfTheWholeBatch() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 6, 10), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 6, 7);
    Tensor value = BATCH.forward(student, teacher);
    value.backward();
    Tensor one = Tensors.gaussian(1, 6, 10).transpose(0, 1).reshape(1, 10, 6, 1);
    Tensor other = teacher.transpose(0, 1).reshape(1, 7, 6, 1);
    assertEquals(PAIRWISE.forward(one, other).item_double(), value.item_double(), 1e-14);
    assertArrayEquals(new long[] {6, 10}, student.grad().shape());
    assertEquals(
        PAIRWISE.conditionNumber(one, other), BATCH.conditionNumber(student, teacher), 1e-9);
  }

  @Test
  void masksAndWeightsHaveTheShapeWithoutChannels() {
    Tensor half = Tensors.gaussian(3, 2, 15).gt(new Scalar(0));
    Tensor plane = half.unsqueeze(2);
    assertEquals(
        KD.forward(asMap(tokens(1)), asMap(tokens(2)), plane).item_double(),
        KD.forward(tokens(1), tokens(2), half).item_double(),
        1e-7);
    InterClassSimilarityLoss classes = InterClassSimilarityLoss.paper();
    assertEquals(
        classes.forward(asMap(tokens(1)), asMap(tokens(2)), plane).item_double(),
        classes.forward(tokens(1), tokens(2), half).item_double(),
        1e-7);
    Tensor weights = Tensors.gaussian(4, 2, 15).abs();
    assertEquals(
        PAIRWISE.forward(asMap(tokens(1)), asMap(tokens(2)), weights.unsqueeze(2)).item_double(),
        PAIRWISE.forward(tokens(1), tokens(2), weights).item_double(),
        1e-7);
    Tensor student = Tensors.gaussian(1, 6, 10);
    Tensor teacher = Tensors.gaussian(2, 6, 10);
    Tensor three = torch.arange(new Scalar(6)).lt(new Scalar(3));
    assertEquals(
        KD.forward(student.narrow(0, 0, 3), teacher.narrow(0, 0, 3)).item_double(),
        KD.forward(student, teacher, three).item_double(),
        1e-14);
    assertEquals(
        BATCH.forward(student.narrow(0, 0, 3), teacher.narrow(0, 0, 3)).item_double(),
        BATCH.forward(student, teacher, three.to(ScalarType.Float)).item_double(),
        1e-12);
  }

  @Test
  void poolingComesBeforeSizesAreCompared() {
    PairwiseLoss eight = PairwiseLoss.skdCvpr19().withPooling(Pooling.averageToNodes(8, 8));
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 1, 4, 16, 16), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 1, 6, 32, 32);
    Tensor value = eight.forward(student, teacher);
    value.backward();
    assertEquals(
        PAIRWISE
            .forward(Pooling.average(2, 2).apply(student), Pooling.average(4, 4).apply(teacher))
            .item_double(),
        value.item_double());
    assertArrayEquals(new long[] {1, 4, 16, 16}, student.grad().shape());
    assertTrue(eight.conditionNumber(student, teacher) > 0);
    Tensor none = torch.zeros(1, 8, 8);
    assertEquals(0.0, eight.forward(student, teacher, none).item_double());
    refused(
        "pair-wise loss: student [1, 4, 16, 16] and teacher [1, 6, 12, 12] differ in height and"
            + " width after pooling, which gives 8 x 8 and 6 x 6 nodes: resize one of them, in a"
            + " term by resize_teacher of a recipe or withTeacherResized() of Java, or pool to a"
            + " number of nodes that both have",
        () -> eight.forward(student, torch.zeros(1, 6, 12, 12)));
  }

  @Test
  void tokensAndVectorsCanBeProjected() {
    Projector projector = new Projector(4, 6, 1);
    projector.module().eval();
    Tensor expected = projector.forward(asMap(tokens(1)));
    Tensor projected = projector.forward(tokens(1));
    assertArrayEquals(new long[] {2, 15, 6}, projected.shape());
    assertTrue(
        Tensors.relativeError(projected, expected.squeeze(3).transpose(1, 2).contiguous()) < 1e-6);
    assertArrayEquals(new long[] {2, 6}, projector.forward(tokens(1).select(1, 0)).shape());
  }

  @Test
  void mapsThatAProjectorCannotTakeAreRefused() {
    Projector projector = new Projector(4, 6, 1);
    for (ScalarType type : new ScalarType[] {ScalarType.Half, ScalarType.Double}) {
      refused(
          "projector: student [2, 4, 15, 1] is "
              + type
              + " but the projector's parameters are Float: convert the map, or the projector by"
              + " module().to(...)",
          () -> projector.forward(asMap(tokens(1)).to(type)));
    }
    refused(
        "projector: student [1, 4, 1, 1] is a single position, of which batch normalisation has no"
            + " statistics in training: use a larger batch or map, or module().eval()",
        () -> projector.forward(torch.ones(1, 4, 1, 1)));
    projector.module().to(ScalarType.Double, false);
    assertEquals(
        ScalarType.Double,
        projector.forward(asMap(tokens(1)).to(ScalarType.Double)).scalar_type().intern());
    projector.module().eval();
    assertArrayEquals(
        new long[] {1, 6, 1, 1},
        projector.forward(torch.ones(1, 4, 1, 1).to(ScalarType.Double)).shape());
  }

  @Test
  void whatHasNoMeaningIsRefused() {
    Tensor vectors = torch.zeros(6, 4);
    refused(
        "inter-class similarity loss: student [6, 4] has rank 2, expected 4: [batch, channels,"
            + " height, width], or 3: [batch, positions, channels]",
        () -> InterClassSimilarityLoss.paper().forward(vectors, vectors));
    refused(
        "pixel-wise loss: student [2, 15, 4] and teacher [2, 16, 4] differ in number of positions:"
            + " leave out those that have no counterpart, such as a class token",
        () -> KD.forward(tokens(1), torch.zeros(2, 16, 4)));
    refused(
        "pixel-wise loss: student [2, 15, 4] and teacher [2, 4, 15, 1] differ in rank: reshape one"
            + " of them",
        () -> KD.forward(tokens(1), asMap(tokens(2))));
    refused(
        "pixel-wise loss: mask [2, 15, 1] does not fit student [2, 15, 4], expected [2, 15]",
        () -> KD.forward(tokens(1), tokens(2), torch.ones(2, 15, 1).to(ScalarType.Bool)));
    refused(
        "pair-wise loss: student [2, 15, 4] are tokens, which have no height and width to pool:"
            + " reshape them to a map [batch, channels, height, width], or use Pooling.none()",
        () -> PairwiseLoss.cirkd().forward(tokens(1), tokens(2)));
    Sampling quadrants = Sampling.random(4).withStrategy(Strategy.RANDOM_GRID, 4);
    refused(
        "global structural loss: teacher [2, 15, 4] are tokens, which have no quadrants: reshape"
            + " them to a map [batch, channels, height, width], or use"
            + " Sampling.random(samples)",
        () ->
            GlobalStructuralLoss.standard()
                .withSampling(quadrants)
                .forward(tokens(1), tokens(2), 1));
  }
}
