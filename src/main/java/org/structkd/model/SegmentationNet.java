package org.structkd.model;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.Conv2dPadding;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.DataFileException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeLoader;
import org.structkd.internal.TensorArguments;

/**
 * A small encoder-decoder for segmentation, of any width. The encoder halves the map three times,
 * the decoder goes back to a quarter of the image and joins what the encoder had there.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   half (stride 2, width) -> quarter (stride 2, 2 width) -> skip (2 width)
 *     -> eighth (stride 2, 4 width) -> bottom (4 width), enlarged, joined with skip
 *   -> decoder (2 width)   tap "features"  [B, 2 width, H/4, W/4]
 *   -> head (1x1)          tap "logits"    [B, K, H/4, W/4]
 *   enlarged               tap "upsampled" [B, K, H, W]
 * }</pre>
 *
 * <p>Each block is a 3x3 convolution, batch normalisation and ReLU; enlarging is bilinear. Height
 * and width of the images must be multiples of 8. Owned by the PointerScope that is open when it is
 * made, if there is one. For one thread at a time.
 */
public final class SegmentationNet implements TrainableNetwork {
  /** Tap: the decoder's map at a quarter of the image, what relations are taken of. */
  public static final String FEATURES = "features";

  /** Tap: class scores at a quarter of the image. */
  public static final String LOGITS = "logits";

  /** Tap: class scores at the size of the image, what is scored. */
  public static final String UPSAMPLED = "upsampled";

  private static final Set<String> TAPS = Set.of(FEATURES, LOGITS, UPSAMPLED);

  /** Largest width: 57 million parameters. */
  public static final int MAX_WIDTH = 512;

  /** Height and width of an image must be multiples of this: three strides of 2. */
  public static final int STRIDE = 8;

  private static final String KIND = "segmentation net";

  /**
   * The shape of a net.
   *
   * @param channels of the images, 1 or more
   * @param width channels of the first block, 1 to {@link #MAX_WIDTH}
   * @param classes number of classes, 1 or more
   */
  public record Config(int channels, int width, int classes) {
    /** Checks the numbers. */
    public Config {
      if (channels < 1 || classes < 1) {
        throw new IllegalArgumentException(
            "a segmentation net needs channels and classes of at least 1 but has "
                + channels
                + " and "
                + classes);
      }
      if (width < 1 || width > MAX_WIDTH) {
        throw new IllegalArgumentException(
            "the width of a segmentation net must be 1 to " + MAX_WIDTH + " but is " + width);
      }
    }
  }

  private final Config config;
  private final Module module;
  private final Block half;
  private final Block quarter;
  private final Block skip;
  private final Block eighth;
  private final Block bottom;
  private final Block decoder;
  private final Conv2dImpl head;

  /**
   * A net with random weights.
   *
   * @param config its shape
   * @param seed of LibTorch's generator, which is set: equal seeds and shapes give equal weights
   */
  public SegmentationNet(Config config, long seed) {
    NativeLoader.require();
    torch.manual_seed(seed);
    this.config = config;
    module = new ModuleDictImpl(); // plain Module's constructor leaves JNI exceptions unchecked
    int width = config.width();
    half = new Block("half", config.channels(), width, 2);
    quarter = new Block("quarter", width, 2 * width, 2);
    skip = new Block("skip", 2 * width, 2 * width, 1);
    eighth = new Block("eighth", 2 * width, 4 * width, 2);
    bottom = new Block("bottom", 4 * width, 4 * width, 1);
    decoder = new Block("decoder", 6 * width, 2 * width, 1);
    head = module.register_module("head", convolution(2 * width, config.classes(), 1, 1, true));
  }

  /**
   * A net out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the net, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static SegmentationNet of(TensorFile file) throws IOException {
    file.require("network", KIND);
    Config config;
    try {
      config =
          new Config(
              (int) file.number("channels"),
              (int) file.number("width"),
              (int) file.number("classes"));
    } catch (IllegalArgumentException e) {
      throw new DataFileException(file.source(), "the shape of a network", e.getMessage());
    }
    SegmentationNet net = new SegmentationNet(config, 0);
    net.load(file);
    net.module.eval();
    return net;
  }

  /**
   * Takes the weights out of a file.
   *
   * @param file weights of a net of this shape
   * @throws DataFileException if they belong to another network or are not finite; nothing has
   *     changed then
   * @throws IOException if the file cannot be read
   */
  public void load(TensorFile file) throws IOException {
    StateDict.restore(module, file);
  }

  /**
   * {@return shape and weights: those that the net has when the file is written}
   *
   * @param properties what else the file shall say, by name
   */
  public TensorFile toFile(Map<String, String> properties) {
    TensorFile.Builder file = TensorFile.builder();
    file.property("network", KIND);
    file.property("channels", Integer.toString(config.channels()));
    file.property("width", Integer.toString(config.width()));
    file.property("classes", Integer.toString(config.classes()));
    properties.forEach(file::property);
    StateDict.save(module, file);
    return file.build("memory");
  }

  /** {@return the shape} */
  public Config config() {
    return config;
  }

  @Override
  public Set<String> taps() {
    return TAPS;
  }

  @Override
  public Map<String, Tensor> forward(Tensor images) {
    requireImages(images);
    return NativeCall.of(() -> taps(images));
  }

  private Map<String, Tensor> taps(Tensor images) {
    Tensor fine = skip.forward(quarter.forward(half.forward(images)));
    Tensor coarse = bottom.forward(eighth.forward(fine));
    Tensor joined = torch.cat(new TensorVector(resized(coarse, fine), fine), 1);
    Tensor features = decoder.forward(joined);
    Tensor logits = head.forward(features);
    return Map.of(FEATURES, features, LOGITS, logits, UPSAMPLED, resized(logits, images));
  }

  @Override
  public Module module() {
    return module;
  }

  @Override
  public void to(Device device) {
    NativeCall.of(
        () -> {
          module.to(device, false);
          return device;
        });
  }

  /** {@return the number of trained numbers} */
  public long parameterCount() {
    long count = 0;
    try (PointerScope scope = new PointerScope()) {
      TensorVector parameters = module.parameters();
      for (long i = 0; i < parameters.size(); i++) {
        count += parameters.get(i).numel();
      }
    }
    return count;
  }

  private void requireImages(Tensor images) {
    TensorArguments.requireOpen(KIND, "images", images);
    if (images.dim() != 4
        || images.size(1) != config.channels()
        || images.size(2) % STRIDE != 0
        || images.size(3) % STRIDE != 0) {
      throw new IllegalArgumentException(
          "images are "
              + Arrays.toString(images.shape())
              + ", expected [B, "
              + config.channels()
              + ", H, W] with H and W multiples of "
              + STRIDE);
    }
    ScalarType type = head.weight().scalar_type().intern();
    if (images.scalar_type().intern() != type) {
      throw new IllegalArgumentException(
          "images are "
              + images.scalar_type().intern()
              + ", expected "
              + type
              + " as the net's parameters: convert them with to(...), bytes to 0 .. 1");
    }
  }

  private static Tensor resized(Tensor map, Tensor target) {
    return torch.upsample_bilinear2d(map, new long[] {target.size(2), target.size(3)}, false);
  }

  /** Convolution, batch normalisation, ReLU. */
  private final class Block {
    private final Conv2dImpl convolution;
    private final BatchNorm2dImpl norm;

    @SuppressWarnings("unchecked") // a generic varargs array
    Block(String name, int in, int out, int stride) {
      convolution = module.register_module(name + "_conv", convolution(in, out, 3, stride, false));
      try (PointerScope temporaries = new PointerScope(BatchNormOptions.class)) {
        norm =
            module.register_module(name + "_norm", new BatchNorm2dImpl(new BatchNormOptions(out)));
      }
    }

    Tensor forward(Tensor input) {
      return torch.relu(norm.forward(convolution.forward(input)));
    }
  }

  // The scope releases the options but not the layer: it takes only objects of the classes it
  // names.
  @SuppressWarnings("unchecked") // a generic varargs array
  private static Conv2dImpl convolution(int in, int out, int kernel, int stride, boolean bias) {
    try (PointerScope temporaries =
        new PointerScope(
            Conv2dOptions.class, Conv2dPadding.class, LongPointer.class, BoolPointer.class)) {
      Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(kernel, kernel));
      options.stride().put(new long[] {stride, stride}); // put(long, long) takes an index
      options.padding().put(new LongPointer(kernel / 2, kernel / 2));
      options.bias().put(bias);
      return new Conv2dImpl(options);
    }
  }
}
