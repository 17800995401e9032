package org.structkd.bench;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.LossInputs;
import org.structkd.model.BackboneNet;

/**
 * Forward, losses and backward of a ResNet-18 PSPNet of output stride 8, the student of the
 * publications, with labels alone or with measured losses at the sizes that this network gives
 * them. The teacher's outputs are there already.
 */
final class TrainingStep {
  /** Cityscapes. */
  static final int CLASSES = 19;

  private static final long SEED = 42;
  private static final long STRIDE = 8; // of the network's outputs
  private static final long CHANNELS = 128; // of its features
  private static final double WRONG = 1e-3;
  private static final long MEAN = 1; // reductions as operators number them
  private static final long STEP = 1;

  private final List<MeasuredLoss> losses;
  private final Tensor images;
  private final Tensor labels; // of the images' size
  private final Tensor teacherFeatures;
  private final Tensor teacherLogits;
  private final Tensor features; // leaves, for the losses alone
  private final Tensor logits;
  private final BackboneNet student;

  /**
   * A step with a new student on fixed inputs; no PointerScope may be open that ends before.
   *
   * @param losses those of distillation
   */
  TrainingStep(List<MeasuredLoss> losses, long batch, long height, long width) {
    this.losses = List.copyOf(losses);
    torch.manual_seed(SEED);
    long mapHeight = height / STRIDE;
    long mapWidth = width / STRIDE;
    images = torch.randn(batch, 3, height, width);
    // Squares of one class each, a diagonal pattern in which every class occurs.
    long squares = 8;
    Tensor square =
        torch
            .arange(new Scalar(batch * squares * squares))
            .remainder(new Scalar(CLASSES))
            .reshape(batch, squares, squares);
    labels = enlargedNearest(square, height, width);
    // A teacher that is right about most of them.
    Tensor target =
        torch
            .one_hot(enlargedNearest(square, mapHeight, mapWidth), CLASSES)
            .permute(0, 3, 1, 2)
            .to(ScalarType.Float);
    teacherLogits =
        target
            .mul(new Scalar(4))
            .add(torch.randn(batch, CLASSES, mapHeight, mapWidth))
            .contiguous();
    teacherFeatures = torch.randn(batch, CHANNELS, mapHeight, mapWidth);
    student =
        new BackboneNet(
            new BackboneNet.Config(
                3,
                BackboneNet.Backbone.RESNET18,
                BackboneNet.Head.PSPNET,
                1,
                (int) STRIDE,
                (int) CHANNELS,
                CLASSES),
            SEED);
    Map<String, Tensor> outputs = student.forward(images);
    features = outputs.get(BackboneNet.FEATURES).detach().set_requires_grad(true);
    logits = outputs.get(BackboneNet.LOGITS).detach().set_requires_grad(true);
  }

  /** The losses of a student's outputs, by one provider. */
  List<Tensor> distillation(String provider) {
    return distillation(provider, features, logits);
  }

  private List<Tensor> distillation(String provider, Tensor features, Tensor logits) {
    Map<String, Tensor> student = Map.of("features", features, "logits", logits);
    Map<String, Tensor> teacher = Map.of("features", teacherFeatures, "logits", teacherLogits);
    return losses.stream()
        .map(
            loss -> {
              CaseShape maps =
                  new CaseShape(teacher.get(loss.listed().inputs()).shape(), false, false, "");
              LossInputs inputs =
                  new LossInputs(
                      student,
                      teacher,
                      Map.of(LossInputs.LABELS, labels),
                      Map.of(),
                      OptionalLong.empty(),
                      STEP,
                      null);
              return provider.equals("structkd")
                  ? loss.formulas().inTraining(maps).forward(inputs)
                  : loss.formulas().composedInTraining(maps, inputs);
            })
        .toList();
  }

  /**
   * A whole step.
   *
   * @param provider of the distillation losses; "supervised" has none
   */
  double step(String provider) {
    try (PointerScope temporaries = new PointerScope()) {
      student.module().zero_grad(true);
      Map<String, Tensor> outputs = student.forward(images);
      Tensor enlarged = outputs.get(BackboneNet.UPSAMPLED);
      Tensor loss = torch.cross_entropy_loss(enlarged, labels, new TensorOptional(), MEAN, -1, 0.0);
      if (!provider.equals("supervised")) {
        Tensor ownFeatures = outputs.get(BackboneNet.FEATURES);
        Tensor ownLogits = outputs.get(BackboneNet.LOGITS);
        for (Tensor term : distillation(provider, ownFeatures, ownLogits)) {
          loss = loss.add(term);
        }
      }
      loss.backward();
      return loss.item_double();
    }
  }

  /** What the losses add to a step: value and gradient of each, of given outputs. */
  double losses(String provider) {
    try (PointerScope temporaries = new PointerScope()) {
      features.mutable_grad().put(new Tensor());
      logits.mutable_grad().put(new Tensor());
      Tensor loss = torch.zeros(1).squeeze();
      for (Tensor term : distillation(provider, features, logits)) {
        loss = loss.add(term);
      }
      loss.backward();
      return loss.item_double();
    }
  }

  /**
   * Compares both providers, without graphs, which would keep all the compositions' pairs of
   * pixels. Permutations of the global structural loss differ, which moves it by less.
   *
   * @throws IllegalStateException if they differ
   */
  void requireEqualProviders() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGraphs = new NoGradGuard()) {
      List<Tensor> ours = distillation("structkd", features, logits);
      List<Tensor> eager = distillation("eager", features, logits);
      for (int i = 0; i < ours.size(); i++) {
        double expected = eager.get(i).item_double();
        double value = ours.get(i).item_double();
        if (!(Math.abs(value - expected) <= WRONG * Math.abs(expected))) {
          throw new IllegalStateException(
              "wrong result of %s: %.9g, eager %.9g".formatted(losses.get(i), value, expected));
        }
      }
    }
  }

  private static Tensor enlargedNearest(Tensor squares, long height, long width) {
    return squares
        .repeat_interleave(height / squares.size(1), new LongOptional(1), new LongOptional())
        .repeat_interleave(width / squares.size(2), new LongOptional(2), new LongOptional())
        .contiguous();
  }
}
