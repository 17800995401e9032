package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.StructkdException;
import org.structkd.internal.CudaLibraries;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.testing.Tensors;

/** A training run on the CUDA kernels, as the emulator runs them, beside one on the CPU's. */
class EmulatedTrainingTest {
  private static final int STEPS = 20;
  private static final long CHANNELS = 16;
  private static final long CLASSES = 7;
  private static final double LEARNING_RATE = 0.2;

  private static final PixelwiseLoss PIXELWISE = PixelwiseLoss.kd().withTemperature(2);
  private static final PairwiseLoss PAIRWISE =
      PairwiseLoss.skdCvpr19().withPooling(Pooling.max(2, 2));
  private static final InterClassSimilarityLoss INTER_CLASS = InterClassSimilarityLoss.paper();
  private static final GlobalStructuralLoss GLOBAL =
      GlobalStructuralLoss.standard().withSampling(Sampling.random(24)).withGroupWidth(4);

  /** Two convolutions: features [B, CHANNELS, H, W] and logits [B, CLASSES, H, W]. */
  private record Net(Tensor first, Tensor second) {
    static Net of(long seed) {
      return new Net(
          Tensors.leaf(
              Tensors.gaussian(seed, CHANNELS, 3, 3, 3).mul(new Scalar(0.3)), ScalarType.Float),
          Tensors.leaf(
              Tensors.gaussian(seed + 1, CLASSES, CHANNELS, 1, 1).mul(new Scalar(0.3)),
              ScalarType.Float));
    }

    Tensor features(Tensor images) {
      return torch.relu(torch.conv2d(images, first));
    }

    Tensor logits(Tensor features) {
      return torch.conv2d(features, second);
    }

    void step() {
      for (Tensor weights : new Tensor[] {first, second}) {
        Tensor moved = weights.detach().sub_(weights.grad().mul(new Scalar(LEARNING_RATE)));
        assertEquals(weights.numel(), moved.numel());
        weights.mutable_grad().reset();
      }
    }
  }

  @Test
  void lossesOfTwentyStepsAreThoseOfTheCpu() {
    try {
      NativeCall.of(
          () -> {
            CudaLibraries.openEmulator();
            return true;
          });
    } catch (StructkdException e) {
      abort(e.getMessage());
    }
    double[] expected = train("cpu");
    double[] found = train("cuda-emulated");
    for (int step = 0; step < STEPS; step++) {
      // Rounding of f32, that of each step carried on by the weights.
      assertEquals(expected[step], found[step], 1e-5 * expected[step], "step " + step);
    }
    assertTrue(expected[STEPS - 1] < 0.7 * expected[0], expected[0] + " to " + expected[STEPS - 1]);
  }

  private static double[] train(String backend) {
    String before = NativeCall.of(() -> NativeOps.useBackend(backend));
    double[] losses = new double[STEPS];
    try (PointerScope scope = new PointerScope()) {
      Net student = Net.of(1);
      Net teacher = Net.of(100);
      for (int step = 0; step < STEPS; step++) {
        try (PointerScope temporaries = new PointerScope()) {
          Tensor images = Tensors.gaussian(1000 + step, 2, 3, 18, 20).to(ScalarType.Float);
          Tensor loss = loss(student, teacher, images, step);
          losses[step] = loss.item_double();
          loss.backward();
          student.step();
        }
        assertTrue(
            NativeCall.of(NativeOps::lastPlan).contains(backend.replace("-emulated", "")),
            NativeCall.of(NativeOps::lastPlan));
      }
    } finally {
      NativeOps.useBackend(before);
    }
    return losses;
  }

  private static Tensor loss(Net student, Net teacher, Tensor images, long step) {
    Tensor ours = student.features(images);
    Tensor theirs = teacher.features(images).detach();
    Tensor logits = student.logits(ours);
    Tensor targets = teacher.logits(theirs).detach();
    return PIXELWISE
        .forward(logits, targets)
        .add(PAIRWISE.forward(ours, theirs))
        .add(INTER_CLASS.forward(logits, targets).mul(new Scalar(0.1)))
        .add(GLOBAL.forward(ours, theirs, step));
  }
}
