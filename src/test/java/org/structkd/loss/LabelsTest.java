package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.indexer.IntIndexer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.testing.OnBackend;
import org.structkd.testing.Tensors;

/** Labels of every integer type and size, with pixels of no class: one rule for all losses. */
@Tag("emulated")
class LabelsTest {
  private static final int VOID = 255;
  private static final ScalarType[] TYPES = {
    ScalarType.Byte, ScalarType.Short, ScalarType.Int, ScalarType.Long, ScalarType.UInt16
  };

  /** What a loss gives for logits or features [2, 3, 4, 5] and labels. */
  private interface Labelled {
    double value(Tensor student, Tensor teacher, Tensor labels);
  }

  private record Named(String name, Labelled loss) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Named> losses() {
    PixelwiseLoss pixelwise = PixelwiseLoss.kd();
    PairwiseLoss pairwise = PairwiseLoss.skdCvpr19();
    InterClassSimilarityLoss classes = InterClassSimilarityLoss.paper();
    GlobalStructuralLoss global =
        GlobalStructuralLoss.standard()
            .withSampling(Sampling.standard().withTeacherCorrectOnly(false));
    CrossEntropyLoss supervised = new CrossEntropyLoss(VOID);
    return List.of(
        new Named("pixelwise", (s, t, y) -> pixelwise.forward(s, t, y, VOID).item_double()),
        new Named("pairwise", (s, t, y) -> pairwise.forward(s, t, y, VOID).item_double()),
        new Named(
            "inter_class_similarity", (s, t, y) -> classes.forward(s, t, y, VOID).item_double()),
        new Named("global_structural", (s, t, y) -> global.forward(s, t, null, y, 1).item_double()),
        new Named("cross_entropy", (s, t, y) -> supervised.forward(s, y).item_double()));
  }

  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  private static Tensor map(long seed) {
    return Tensors.gaussian(seed, 2, 3, 4, 5).to(ScalarType.Float);
  }

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

  @ParameterizedTest
  @MethodSource("losses")
  void anyIntegerTypeAndSize(Named named) {
    Tensor student = map(1);
    Tensor teacher = map(2);
    for (int[] size : new int[][] {{4, 5}, {11, 13}, {3, 2}, {64, 80}}) {
      int[] labels = draw(size[0], size[1]);
      Tensor small = Tensor.create(nearest(labels, size[0], size[1]), 2, 4, 5);
      double expected = named.loss.value(student, teacher, small.to(ScalarType.Long));
      assertTrue(expected > 0);
      for (ScalarType type : TYPES) {
        Tensor given = Tensor.create(labels, 2, size[0], size[1]).to(type);
        assertEquals(expected, named.loss.value(student, teacher, given), type.toString());
      }
    }
  }

  /** 255 in a signed byte is -1. */
  @ParameterizedTest
  @MethodSource("losses")
  void minusOneIsNoClassEither(Named named) {
    Tensor labels = Tensor.create(draw(4, 5), 2, 4, 5);
    double expected = named.loss.value(map(1), map(2), labels);
    Tensor signed = labels.to(ScalarType.Byte).view(ScalarType.Char);
    assertEquals(-1, signed.to(ScalarType.Int).min().item_int());
    assertEquals(expected, named.loss.value(map(1), map(2), signed));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void voidPixelsTakeNoPart(Named named) {
    int[] labels = draw(4, 5);
    Tensor student = map(1);
    Tensor other = student.clone();
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] == VOID) {
        other.select(0, i / 20).select(1, i / 5 % 4).select(1, i % 5).fill_(new Scalar(9));
      }
    }
    Tensor y = Tensor.create(labels, 2, 4, 5);
    assertEquals(named.loss.value(student, map(2), y), named.loss.value(other, map(2), y), 1e-6);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void whatAreNoLabelsIsRefused(Named named) {
    for (Object[] wrong :
        new Object[][] {
          {Tensors.gaussian(1, 2, 4, 5), "labels is Double, expected integers"},
          {Tensor.create(new int[8], 2, 4), "labels [2, 4] does not fit "},
          {Tensor.create(new int[20], 1, 4, 5), "labels [1, 4, 5] does not fit "},
          {Tensor.create(new int[40], 2, 1, 4, 5), "labels [2, 1, 4, 5] does not fit "},
        }) {
      IllegalArgumentException error =
          assertThrows(
              IllegalArgumentException.class,
              () -> named.loss.value(map(1), map(2), (Tensor) wrong[0]));
      assertTrue(error.getMessage().contains((String) wrong[1]), error.getMessage());
    }
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
