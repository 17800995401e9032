package org.structkd.loss;

import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.MapView;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * Lifts a student's feature map to the teacher's channels, trained together with the student: 1x1
 * convolution, batch normalisation, ReLU, 1x1 convolution, both convolutions without bias.
 *
 * <p>Its parameters ({@code projector.module().parameters()}) belong into the student's optimizer;
 * it is not needed after training. In training mode, the state it starts in, the normalisation uses
 * the statistics of the batch. It changes while it trains: use it from one thread. It owns its
 * layers until it is closed or collected, whatever PointerScope it is made in; a module that they
 * are registered in keeps them alive, too.
 *
 * <p>Source: the projection head of CIRKD dab64db and MaryAhn/GSKD 641ddeb.
 */
public final class Projector implements TrainedPart {
  private static final String NAME = "projector";

  private final int studentChannels;
  private final Owned<Head> head;

  /**
   * A projector with the initial weights that LibTorch gives such layers.
   *
   * @param studentChannels channels of the student's map, at least 1
   * @param teacherChannels channels of the teacher's map, at least 1
   * @param seed of the initial weights: equal seeds and channels give equal weights. LibTorch's
   *     generator is left as it was
   * @throws IllegalArgumentException if a number of channels is below 1
   */
  public Projector(int studentChannels, int teacherChannels, long seed) {
    if (studentChannels < 1 || teacherChannels < 1) {
      throw new IllegalArgumentException(
          "%s: studentChannels is %s and teacherChannels is %s, expected at least 1 each"
              .formatted(NAME, studentChannels, teacherChannels));
    }
    this.studentChannels = studentChannels;
    head =
        Owned.make(
            NAME, () -> Generators.seeded(seed, () -> new Head(studentChannels, teacherChannels)));
  }

  /** The layers. */
  private static final class Head {
    private final Module module = new ModuleDictImpl();
    private final Conv2dImpl lift;
    private final BatchNorm2dImpl norm;
    private final Conv2dImpl mix;

    Head(int in, int out) {
      lift = Layers.convolution(module, "lift", in, out, 1, 1, false);
      norm = Layers.batchNorm(module, "norm", out);
      mix = Layers.convolution(module, "mix", out, out, 1, 1, false);
    }

    Tensor forward(Tensor map) {
      return mix.forward(torch.relu(norm.forward(lift.forward(map))));
    }
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the projector has been closed
   */
  @Override
  public Module module() {
    return head.get().module;
  }

  /**
   * Projects a map.
   *
   * @param student feature map [B, Cs, H, W], tokens [B, N, Cs] or vectors [B, Cs], of the type of
   *     its parameters: Float, unless {@code module().to(...)} made them another
   * @return the same with Ct channels, in the caller's PointerScope
   * @throws IllegalArgumentException if the map does not have Cs channels or is of another type,
   *     and for a single position in training, whose statistics do not exist
   * @throws IllegalStateException if the projector has been closed
   */
  public Tensor forward(Tensor student) {
    return Scopes.resultOf(
        () -> {
          MapView view = MapView.of(NAME, "student", student, MapView.Accepts.VECTORS);
          requireFit(view);
          return view.made(head.get()::forward).given();
        });
  }

  private void requireFit(MapView student) {
    Tensor map = student.map();
    String given = NAME + ": " + TensorArguments.describe("student", student.given());
    if (map.size(1) != studentChannels) {
      throw new IllegalArgumentException(
          given + " has " + map.size(1) + " channels, expected " + studentChannels);
    }
    Tensor weights = module().parameters().get(0);
    ScalarType type = weights.scalar_type().intern();
    if (map.scalar_type().intern() != type) {
      throw new IllegalArgumentException(
          ("%s is %s but the projector's parameters are %s: convert the map, or the"
                  + " projector by module().to(...)")
              .formatted(given, map.scalar_type().intern(), type));
    }
    TensorArguments.requireSameDevice(NAME, "student", map, "the projector", weights);
    if (module().is_training() && map.numel() == studentChannels) {
      throw new IllegalArgumentException(
          given
              + " is a single position, of which batch normalisation has no statistics in training:"
              + " use a larger batch or map, or module().eval()");
    }
  }

  /** Releases the layers, unless another module has them. May be called twice. */
  @Override
  public void close() {
    head.close();
  }
}
