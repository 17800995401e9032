package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.GlobalStructuralLoss.Shuffle;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.InScope;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class GlobalStructuralLossTest {
  private static final GlobalStructuralLoss STANDARD = GlobalStructuralLoss.standard();

  /** Every position of the map, in groups of 4 columns, unshuffled: easy to write in operators. */
  private static final GlobalStructuralLoss ALL_POSITIONS =
      STANDARD
          .withSampling(Sampling.all())
          .withShuffle(Shuffle.NONE)
          .withGroupWidth(4)
          .withTemperature(0.5)
          .withEps(1e-6);

  private static Tensor similarities(Tensor map) {
    long[] n = map.shape();
    Tensor rows = map.reshape(n[0], n[1], n[2] * n[3]);
    Tensor norm = rows.norm(new ScalarOptional(new Scalar(2)), new long[] {1}, true);
    Tensor alive = norm.gt(new Scalar(1e-6)).to(map.scalar_type());
    Tensor unit = rows.div(norm.clamp_min(new Scalar(1e-6))).mul(alive);
    return torch.bmm(unit.transpose(1, 2), unit);
  }

  private static Tensor allPositions(Tensor student, Tensor teacher) {
    return ALL_POSITIONS.forward(student, teacher, 0);
  }

  @ParameterizedTest
  @EnumSource(StudentTeacher.Kind.class)
  void meetsTheAccuracyRule(StudentTeacher.Kind kind) {
    for (long width : new long[] {4, 8, 28, 32, 36, 60, 64, 68}) {
      AccuracyRule.check(
          GlobalStructuralLossTest::allPositions, kind, ScalarType.Float, 2, 20, 1, width);
    }
    for (ScalarType dtype :
        new ScalarType[] {ScalarType.Double, ScalarType.Half, ScalarType.BFloat16}) {
      AccuracyRule.check(GlobalStructuralLossTest::allPositions, kind, dtype, 2, 24, 6, 8);
    }
  }

  /** One-hot logits whose arg-max are the labels. */
  private static Tensor logitsOf(Tensor labels, long classes) {
    return torch.one_hot(labels, classes).permute(0, 3, 1, 2).to(ScalarType.Float);
  }

  private static Tensor labels(long batch, long height, long width, int classes) {
    int[] values = new int[(int) (batch * height * width)];
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.floorMod(i / 3 * 7, classes);
    }
    return Tensor.create(values, batch, height, width).to(ScalarType.Long);
  }

  // The student's gradient flows, which the released code never achieved: a free feature map learns
  // the teacher's similarities by this loss alone, on new samples and permutations in every step.
  @Test
  void trainsStudentFeaturesTowardsTheTeachersSimilarities() {
    GlobalStructuralLoss loss = STANDARD.withTemperature(0.2);
    Tensor teacher = Tensors.gaussian(1, 2, 8, 6, 8).to(ScalarType.Float);
    Tensor student = Tensors.leaf(Tensors.gaussian(2, 2, 5, 6, 8), ScalarType.Float);
    Tensor labels = labels(2, 6, 8, 4);
    Tensor logits = logitsOf(labels, 4);
    double lossBefore = loss.forward(student, teacher, logits, labels, 1000).item_double();
    double gapBefore = centredGap(student, teacher);
    Adam optimizer = new Adam(new TensorVector(student), new AdamOptions(0.03));
    for (long step = 0; step < 250; step++) {
      try (PointerScope temporaries = new PointerScope()) {
        optimizer.zero_grad();
        loss.forward(student, teacher, logits, labels, step).backward();
        optimizer.step();
      }
    }
    double lossAfter = loss.forward(student, teacher, logits, labels, 1000).item_double();
    double gapAfter = centredGap(student, teacher);
    assertTrue(lossAfter < 0.25 * lossBefore, lossBefore + " became " + lossAfter);
    assertTrue(gapAfter < 0.6 * gapBefore, gapBefore + " became " + gapAfter);
  }

  /** Distance of all similarities up to a constant, which the loss leaves free. */
  private static double centredGap(Tensor student, Tensor teacher) {
    Tensor gap = similarities(student.detach()).sub(similarities(teacher));
    return gap.sub(gap.mean()).norm().item_double();
  }

  @Test
  void stepDrawsAnewAndTheSameStepRepeats() {
    GlobalStructuralLoss loss = STANDARD;
    Tensor student = Tensors.gaussian(1, 2, 5, 9, 9);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 9, 9);
    Tensor labels = labels(2, 9, 9, 3);
    Tensor logits = logitsOf(labels, 3);
    double first = loss.forward(student, teacher, logits, labels, 7).item_double();
    assertEquals(first, loss.forward(student, teacher, logits, labels, 7).item_double());
    assertTrue(first != loss.forward(student, teacher, logits, labels, 8).item_double());
    GlobalStructuralSamples samples = loss.sample(teacher, logits, labels, 7);
    assertArrayEquals(new long[] {2, 24}, samples.indices().shape());
    assertEquals(first, loss.forwardAt(student, teacher, samples, null, 7).item_double());
  }

  @Test
  void labelsAreResizedToTheMapByNearestNeighbour() {
    Tensor teacher = Tensors.gaussian(2, 1, 3, 4, 5);
    Tensor large = labels(1, 11, 13, 3);
    GlobalStructuralLoss loss =
        STANDARD.withSampling(Sampling.standard().withTeacherCorrectOnly(false));
    double[] full = Tensors.values(large);
    int[] small = new int[20];
    for (int h = 0; h < 4; h++) {
      for (int w = 0; w < 5; w++) {
        small[h * 5 + w] = (int) full[h * 11 / 4 * 13 + w * 13 / 5];
      }
    }
    Tensor resized = Tensor.create(small, 1, 4, 5);
    assertTrue(
        Tensors.sameBits(
            loss.sample(teacher, null, large, 3).indices(),
            loss.sample(teacher, null, resized, 3).indices()));
  }

  @Test
  void pixelsThatWereNotDrawnGetNoGradient() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 1, 4, 10, 10), ScalarType.Float);
    GlobalStructuralLoss loss = STANDARD.withSampling(Sampling.random(12));
    Tensor teacher = Tensors.gaussian(2, 1, 4, 10, 10).to(ScalarType.Float);
    loss.forward(student, teacher, 3).backward();
    double[] drawn = Tensors.values(loss.sample(teacher, null, null, 3).indices());
    double[] gradient = Tensors.values(student.grad().abs().sum(1L));
    for (int n = 0; n < 100; n++) {
      int pixel = n;
      boolean sampled = java.util.Arrays.stream(drawn).anyMatch(d -> d == pixel);
      assertEquals(sampled, gradient[n] > 0, "pixel " + n);
    }
  }

  @Test
  void equalMapsAndImagesWithoutSamplesGiveZero() {
    Tensor map = Tensors.gaussian(1, 1, 4, 5, 4);
    assertEquals(0.0, allPositions(map, map).item_double());
    Tensor labels = labels(1, 5, 4, 2);
    Tensor wrong = logitsOf(labels, 2).neg(); // arg-max is always the other class
    Tensor student = Tensors.leaf(map, ScalarType.Double);
    Tensor loss = STANDARD.forward(student, Tensors.gaussian(2, 1, 4, 5, 4), wrong, labels, 0);
    loss.backward();
    assertEquals(0.0, loss.item_double());
    assertEquals(0.0, student.grad().abs().sum().item_double());
  }

  @Test
  void projectorLiftsAndLearns() {
    Projector projector = new Projector(3, 6, 1);
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 5), ScalarType.Float);
    Tensor lifted = projector.forward(student);
    assertArrayEquals(new long[] {2, 6, 4, 5}, lifted.shape());
    Tensor teacher = Tensors.gaussian(2, 2, 6, 4, 5).to(ScalarType.Float);
    allPositions(lifted, teacher).backward();
    TensorVector parameters = projector.module().parameters();
    assertEquals(4, parameters.size(), "two convolutions without bias, scale and shift");
    for (long i = 0; i < parameters.size(); i++) {
      assertTrue(parameters.get(i).grad().defined());
    }
    assertTrue(student.grad().abs().sum().item_double() > 0);
    assertThrows(IllegalArgumentException.class, () -> projector.forward(teacher));
    assertThrows(IllegalArgumentException.class, () -> new Projector(0, 4, 1));
  }
}
