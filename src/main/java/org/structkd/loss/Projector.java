package org.structkd.loss;

import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.ReLUImpl;
import org.bytedeco.pytorch.SequentialImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.MapView;
import org.structkd.internal.NativeLoader;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * Lifts a student's feature map to the teacher's channels, trained together with the student: 1x1
 * convolution, batch normalisation, ReLU, 1x1 convolution, both convolutions without bias.
 *
 * <p>Its parameters ({@code projector.module().parameters()}) belong into the student's optimizer;
 * it is not needed after training. In training mode, the state it starts in, the normalisation uses
 * the statistics of the batch. It changes while it trains: use it from one thread. Its modules
 * belong to the PointerScope that is open when it is made, if there is one.
 *
 * <p>Source: the projection head of CIRKD dab64db and MaryAhn/GSKD 641ddeb.
 */
public final class Projector {
  private static final String NAME = "projector";

  private final int studentChannels;
  private final SequentialImpl module;

  /**
   * A projector with LibTorch's initial weights ({@code torch.manual_seed} repeats them).
   *
   * @param studentChannels channels of the student's map, at least 1
   * @param teacherChannels channels of the teacher's map, at least 1
   * @throws IllegalArgumentException if a number of channels is below 1
   */
  @SuppressWarnings(
      "unchecked") // PointerScope's own signature: an array of Class<? extends Pointer>
  public Projector(int studentChannels, int teacherChannels) {
    if (studentChannels < 1 || teacherChannels < 1) {
      throw new IllegalArgumentException(
          NAME
              + ": studentChannels is "
              + studentChannels
              + " and teacherChannels is "
              + teacherChannels
              + ", expected at least 1 each");
    }
    NativeLoader.require();
    this.studentChannels = studentChannels;
    module = new SequentialImpl();
    module.push_back("lift", convolution(studentChannels, teacherChannels));
    try (PointerScope temporaries = new PointerScope(BatchNormOptions.class)) {
      module.push_back("norm", new BatchNorm2dImpl(new BatchNormOptions(teacherChannels)));
    }
    module.push_back("relu", new ReLUImpl());
    module.push_back("mix", convolution(teacherChannels, teacherChannels));
  }

  // The scope releases the options but not the layer: it takes only objects of the classes it
  // names.
  @SuppressWarnings("unchecked")
  private static Conv2dImpl convolution(int in, int out) {
    try (PointerScope temporaries =
        new PointerScope(Conv2dOptions.class, LongPointer.class, BoolPointer.class)) {
      Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(1, 1));
      options.bias().put(false);
      return new Conv2dImpl(options);
    }
  }

  /** The layers, for an optimizer, an archive or a switch between training and evaluation. */
  public SequentialImpl module() {
    return module;
  }

  /**
   * Projects a map.
   *
   * @param student feature map [B, Cs, H, W], tokens [B, N, Cs] or vectors [B, Cs], of the type of
   *     its parameters: Float, unless {@code module().to(...)} made them another
   * @return the same with Ct channels, in the caller's PointerScope
   * @throws IllegalArgumentException if the map does not have Cs channels or is of another type,
   *     and for a single position in training, whose statistics do not exist
   */
  public Tensor forward(Tensor student) {
    return Scopes.resultOf(
        () -> {
          MapView view = MapView.of(NAME, "student", student, MapView.Accepts.VECTORS);
          requireFit(view);
          return view.made(module::forward).given();
        });
  }

  private void requireFit(MapView student) {
    Tensor map = student.map();
    String given = NAME + ": " + TensorArguments.describe("student", student.given());
    if (map.size(1) != studentChannels) {
      throw new IllegalArgumentException(
          given + " has " + map.size(1) + " channels, expected " + studentChannels);
    }
    Tensor weights = module.parameters().get(0);
    ScalarType type = weights.scalar_type().intern();
    if (map.scalar_type().intern() != type) {
      throw new IllegalArgumentException(
          given
              + " is "
              + map.scalar_type().intern()
              + " but the projector's parameters are "
              + type
              + ": convert the map, or the projector by module().to(...)");
    }
    TensorArguments.requireSameDevice(NAME, "student", map, "the projector", weights);
    if (module.is_training() && map.numel() == studentChannels) {
      throw new IllegalArgumentException(
          given
              + " is a single position, of which batch normalisation has no statistics in training:"
              + " use a larger batch or map, or module().eval()");
    }
  }
}
