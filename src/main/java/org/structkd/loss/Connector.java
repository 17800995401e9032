package org.structkd.loss;

import java.util.function.Function;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Owned;
import org.structkd.internal.TensorArguments;

/**
 * Brings a student's map to the teacher's channels: 1x1 convolution without bias and, where it is
 * normalised, batch normalisation. It learns with the student and is not needed afterwards.
 *
 * <p>Source: bhheo/AB_distillation, {@code models/distillation_module.py}, for the normalised one;
 * winycg/CIRKD, {@code losses/fitnet.py}, for the other.
 */
final class Connector implements TrainedPart {
  private final Owned<Head> head;

  /** The layers. */
  private static final class Head {
    private final Module module = new ModuleDictImpl();
    private final Conv2dImpl convolution;
    private final @Nullable BatchNorm2dImpl norm;

    Head(int in, int out, boolean normalized) {
      convolution = Layers.convolution(module, "convolution", in, out, 1, 1, false);
      norm = normalized ? Layers.batchNorm(module, "norm", out) : null;
      if (norm == null) {
        return; // the weights stay as LibTorch draws them, as in the code that this is from
      }
      try (NoGradGuard initial = new NoGradGuard()) {
        convolution.weight().normal_(0, Math.sqrt(2.0 / out), new GeneratorOptional());
      }
    }
  }

  private Connector(int studentChannels, int teacherChannels, boolean normalized, long seed) {
    head =
        Owned.make(
            "connector",
            () ->
                Generators.seeded(
                    seed, () -> new Head(studentChannels, teacherChannels, normalized)));
  }

  /** {@return one with batch normalisation; weights by He's rule} */
  static Connector normalized(MapPair maps, long seed) {
    return new Connector(channels(maps.student()), channels(maps.teacher()), true, seed);
  }

  /** {@return one of the convolution alone; weights as LibTorch draws them} */
  static Connector linear(MapPair maps, long seed) {
    return new Connector(channels(maps.student()), channels(maps.teacher()), false, seed);
  }

  private static int channels(MapView view) {
    return (int) view.map().size(1);
  }

  /**
   * {@return the connector of a step's inputs}
   *
   * @param loss how sentences begin
   * @throws IllegalArgumentException if there is none
   */
  static Connector of(String loss, LossInputs inputs) {
    if (inputs.part() instanceof Connector connector) {
      return connector;
    }
    throw new IllegalArgumentException(
        loss + ": it has no connector: make one by trainedPart(), or set connector to false");
  }

  /**
   * {@return a loss of the pair with the student's map connected, and how many positions the
   * teacher has}
   *
   * @throws IllegalArgumentException if the student's map does not have the channels that the
   *     connector was made for
   */
  LossValue measure(MapPair maps, Function<MapPair, Tensor> loss) {
    MapPair connected = connect(maps);
    return new LossValue(
        loss.apply(connected), Tensor.create(new long[] {connected.teacher().positions()}));
  }

  /** {@return the pair with the student's map connected, in the type of the weights} */
  private MapPair connect(MapPair maps) {
    long expected = head.get().convolution.weight().size(1);
    MapView student = maps.student();
    if (student.map().size(1) != expected) {
      throw new IllegalArgumentException(
          "%s: %s has %d channels, but the connector was made for %d"
              .formatted(
                  student.loss(),
                  TensorArguments.describe(student.name(), student.given()),
                  student.map().size(1),
                  expected));
    }
    return new MapPair(maps.student().made(this::forward), maps.teacher());
  }

  private Tensor forward(Tensor map) {
    Head layers = head.get();
    Tensor weights = layers.convolution.weight();
    Tensor lifted = layers.convolution.forward(map.to(weights.scalar_type()));
    return layers.norm == null ? lifted : layers.norm.forward(lifted);
  }

  @Override
  public Module module() {
    return head.get().module;
  }

  @Override
  public void close() {
    head.close();
  }
}
