package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.MapPair;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;

/**
 * The layers of {@link AdversarialFeatureLoss}: of each scale a 1x1 convolution that learns with
 * the student, and a small discriminator that learns against it.
 */
final class ScaleGame implements TrainedPart.Opponent {
  private static final String CONNECTORS = "connectors";
  private static final String DISCRIMINATORS = "discriminators";

  /** Channels inside a discriminator. */
  private static final int WIDTH = 64;

  private static final double SLOPE = 0.1;

  private final Owned<Net> net;
  private final Function<LossInputs, List<MapPair>> scalesOf;

  /** The layers. */
  private static final class Net {
    private final Module module = new ModuleDictImpl();
    private final Module connectors = module.register_module(CONNECTORS, new ModuleDictImpl());
    private final Module discriminators =
        module.register_module(DISCRIMINATORS, new ModuleDictImpl());
    private final List<Conv2dImpl> connections = new ArrayList<>();
    private final List<List<Conv2dImpl>> judges = new ArrayList<>();

    Net(List<Integer> student, List<Integer> teacher) {
      for (int scale = 0; scale < student.size(); scale++) {
        String name = "scale" + scale;
        int channels = teacher.get(scale);
        connections.add(
            Layers.convolution(connectors, name, student.get(scale), channels, 1, 1, false));
        judges.add(
            List.of(
                Layers.convolution(discriminators, name + "_first", channels, WIDTH, 3, 1, true),
                Layers.convolution(discriminators, name + "_second", WIDTH, WIDTH, 3, 2, true),
                Layers.convolution(discriminators, name + "_last", WIDTH, 1, 1, 1, true)));
      }
    }
  }

  /**
   * Layers with random weights.
   *
   * @param student channels of each scale
   * @param teacher the same
   * @param scalesOf checks the inputs of a step
   */
  ScaleGame(
      List<Integer> student,
      List<Integer> teacher,
      Function<LossInputs, List<MapPair>> scalesOf,
      long seed) {
    this.scalesOf = scalesOf;
    net =
        Owned.make(
            "discriminators", () -> Generators.seeded(seed, () -> new Net(student, teacher)));
  }

  ScalarType type() {
    return module().parameters().get(0).scalar_type().intern();
  }

  /** Refuses maps that the layers were not made for. */
  void requireFit(String loss, List<MapPair> scales) {
    List<String> made =
        net.get().connections.stream()
            .map(layer -> layer.weight().size(1) + " to " + layer.weight().size(0))
            .toList();
    List<String> given =
        scales.stream()
            .map(scale -> scale.student().map().size(1) + " to " + scale.teacher().map().size(1))
            .toList();
    if (!made.equals(given)) {
      throw new IllegalArgumentException(
          loss
              + ": the channels of student and teacher are "
              + given
              + ", but the layers were made for "
              + made);
    }
  }

  /** The student's map at the teacher's size and channels. */
  Tensor connected(int scale, MapPair maps) {
    Tensor student = maps.student().map().to(type());
    long height = maps.teacher().map().size(2);
    long width = maps.teacher().map().size(3);
    boolean fits = student.size(2) == height && student.size(3) == width;
    return net.get()
        .connections
        .get(scale)
        .forward(
            fits ? student : torch.upsample_bilinear2d(student, new long[] {height, width}, false));
  }

  /** The mean judgement of maps [B, Ct, H, W]: the larger, the more they look like a teacher's. */
  Tensor judged(int scale, Tensor map) {
    return judgement(scale, map).mean();
  }

  private Tensor judgement(int scale, Tensor map) {
    List<Conv2dImpl> layers = net.get().judges.get(scale);
    Scalar slope = new Scalar(SLOPE);
    Tensor first = torch.leaky_relu(layers.get(0).forward(map), slope);
    Tensor second = torch.leaky_relu(layers.get(1).forward(first), slope);
    return layers.get(2).forward(second).flatten(1, -1).mean(1);
  }

  @Override
  public Tensor objective(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          List<MapPair> scales = scalesOf.apply(inputs);
          Tensor loss = null;
          for (int scale = 0; scale < scales.size(); scale++) {
            Tensor real = scales.get(scale).teacher().map().detach().to(type());
            Tensor fake = connected(scale, scales.get(scale)).detach();
            Tensor ofScale = Game.HINGE.lossOf(judgement(scale, real), judgement(scale, fake));
            loss = loss == null ? ofScale : loss.add(ofScale);
          }
          return loss;
        });
  }

  @Override
  public Map<String, Module> against() {
    return Map.of(DISCRIMINATORS + ".", net.get().discriminators);
  }

  @Override
  public Map<String, Module> alongside() {
    return Map.of(CONNECTORS + ".", net.get().connectors);
  }

  @Override
  public Module module() {
    return net.get().module;
  }

  @Override
  public void close() {
    net.close();
  }
}
