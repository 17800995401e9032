package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.bytedeco.javacpp.indexer.IntIndexer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.OnBackend;
import org.structkd.testing.Tensors;

/** Labels with pixels of no class: of samples, nodes, tokens and vectors. */
@InScope
@Tag("emulated")
class LabelsTest {
  private static final int VOID = 255;
  private static final ScalarType[] TYPES = {
    ScalarType.Byte, ScalarType.Short, ScalarType.Int, ScalarType.Long, ScalarType.UInt16
  };

  /** Classes 0 to 2 and, at a quarter of the pixels, void. */
  private static int[] draw(int height, int width) {
    return new Random(7).ints(2L * height * width, 0, 4).map(y -> y == 3 ? VOID : y).toArray();
  }

  private static int[] nearest(int[] labels, int height, int width) {
    int[] small = new int[2 * 4 * 5];
    for (int i = 0; i < small.length; i++) {
      int h = i / 5 % 4 * height / 4;
      int w = i % 5 * width / 5;
      small[i] = labels[(i / 20 * height + h) * width + w];
    }
    return small;
  }

  /** Without logits nobody says how many classes there are: 255 must not become one. */
  @Test
  void noSampleIsVoid() {
    Sampling sampling = Sampling.standard().withTeacherCorrectOnly(false);
    GlobalStructuralLoss loss = GlobalStructuralLoss.standard().withSampling(sampling);
    int[] labels = draw(16, 16);
    requireClassesInOrder(loss, labels);
    OnBackend.of(
        "reference",
        () -> {
          requireClassesInOrder(loss, labels);
          return true;
        });
  }

  /** Eight samples of each of the three classes, and no other. */
  private static void requireClassesInOrder(GlobalStructuralLoss loss, int[] labels) {
    for (ScalarType type : TYPES) {
      Tensor y = Tensor.create(labels, 2, 16, 16).to(type);
      GlobalStructuralSamples samples = loss.sample(Tensors.gaussian(1, 2, 4, 16, 16), null, y, 3);
      assertEquals(24, samples.counts().select(0, 0).select(0, 0).item_int());
      assertEquals(3, samples.counts().select(0, 0).select(0, 1).item_int());
      try (IntIndexer indices = samples.indices().contiguous().createIndexer()) {
        for (int i = 0; i < 48; i++) {
          assertEquals(i % 24 / 8, labels[i / 24 * 256 + indices.get(i / 24, i % 24)]);
        }
      }
    }
  }

  /** Nodes after pooling, not the positions before it, are what labels are resized to. */
  @Test
  void labelsOfPooledMapsAreThoseOfTheirNodes() {
    PairwiseLoss loss = PairwiseLoss.cirkd();
    Tensor student = Tensors.gaussian(1, 2, 3, 8, 10);
    Tensor teacher = Tensors.gaussian(2, 2, 3, 8, 10);
    int[] labels = draw(64, 80);
    Tensor nodes = Tensor.create(nearest(labels, 64, 80), 2, 4, 5);
    assertEquals(
        loss.forward(student, teacher, nodes.ne(new Scalar(VOID)).to(ScalarType.Float))
            .item_double(),
        loss.forward(student, teacher, Tensor.create(labels, 2, 64, 80), VOID).item_double());
  }

  @Test
  void sampledTokensHaveTheirOwnLabels() {
    GlobalStructuralLoss loss = GlobalStructuralLoss.standard();
    Tensor labels = Tensor.create(draw(4, 5), 2, 20);
    Tensor student = Tensors.gaussian(1, 2, 20, 3);
    Tensor teacher = Tensors.gaussian(2, 2, 20, 3);
    double value = loss.forward(student, teacher, teacher, labels, 1).item_double();
    assertTrue(value > 0);
    assertEquals(
        loss.forward(asMap(student), asMap(teacher), asMap(teacher), labels.unsqueeze(2), 1)
            .item_double(),
        value,
        1e-14);
  }

  private static Tensor asMap(Tensor tokens) {
    return tokens.transpose(1, 2).unsqueeze(3).contiguous();
  }

  @Test
  void tokensAndVectorsHaveTheirOwnLabels() {
    PixelwiseLoss loss = PixelwiseLoss.kd();
    Tensor labels = Tensor.create(draw(1, 3), 6);
    Tensor student = Tensors.gaussian(1, 6, 3);
    Tensor teacher = Tensors.gaussian(2, 6, 3);
    double expected = loss.forward(student, teacher, labels.ne(new Scalar(VOID))).item_double();
    assertEquals(expected, loss.forward(student, teacher, labels, VOID).item_double());
    assertEquals(
        expected,
        loss.forward(student.unsqueeze(0), teacher.unsqueeze(0), labels.unsqueeze(0), VOID)
            .item_double(),
        1e-14);
    CrossEntropyLoss supervised = new CrossEntropyLoss(VOID);
    assertEquals(
        supervised.forward(student, labels).item_double(),
        supervised.forward(student.unsqueeze(0), labels.unsqueeze(0)).item_double(),
        1e-14);
  }
}
