package org.structkd.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;

/**
 * A backbone of the size of ImageNet's networks with any {@link Head}: what publications of
 * segmentation train as students and teachers. Images may have any height and width.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   backbone   taps "stage1" to "stage4", at 1/4, 1/8, 1/16 and 1/32 of the image, rounded up,
 *              or at 1/output stride where that is larger
 *              tap "embeddings" [B, C], means over the positions of its last map
 *   head       tap "features"   [B, F, h, w], what classes are told of; not of a classifier
 *              tap "logits"     [B, K, h, w], of a classifier [B, K]
 *   enlarged   tap "upsampled"  [B, K, H, W], bilinear; not of a classifier
 * }</pre>
 *
 * <p>Where the output stride ends strides, dilations take their place, so that weights of ImageNet
 * fit and compute what they did there ({@link #loadBackbone}). Publications drop out activations
 * before the classes; this network does not, since a training draws nothing that its step does not
 * tell. Initial weights are LibTorch's. The backbone's parameters have torchvision's names behind
 * "backbone.", the others begin with "head.". It owns its layers until it is closed or collected,
 * whatever PointerScope it is made in. For one thread at a time.
 */
public final class BackboneNet extends BuiltNetwork<BackboneNet.Config, BackboneNet.Layout> {
  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "backbone net";

  /** Taps: the maps of the backbone, from the first to the deepest. */
  public static final List<String> STAGES = List.of("stage1", "stage2", "stage3", "stage4");

  /** Tap: means over the positions of the backbone's last map, [B, C]. */
  public static final String EMBEDDINGS = ImageClassifier.EMBEDDINGS;

  /** Tap: the map that classes are told of. */
  public static final String FEATURES = SegmentationNet.FEATURES;

  /** Tap: class scores, as the head makes them. */
  public static final String LOGITS = SegmentationNet.LOGITS;

  /** Tap: class scores at the size of the image. */
  public static final String UPSAMPLED = SegmentationNet.UPSAMPLED;

  /** Beginning of the names of the backbone's parameters. */
  public static final String BACKBONE = "backbone";

  /** Beginning of the names of the head's parameters. */
  public static final String HEAD = "head";

  // Limits beyond publications, so that a damaged file does not ask for all memory: the largest
  // layer has 2^28 weights.
  private static final int MAX_CHANNELS = 1024;
  private static final int MAX_FEATURES = 2048;
  private static final int MAX_CLASSES = 1 << 16;
  private static final double MIN_WIDTH = 1.0 / 16;
  private static final double MAX_WIDTH = 2;

  private static final List<Integer> OUTPUT_STRIDES = List.of(8, 16, 32);

  /** What torchvision's and our files hold beside a backbone: layers that tell classes. */
  private static final List<String> OF_CLASSIFIERS =
      List.of("fc.", "classifier.", "aux_classifier.", HEAD + ".", "features.18.");

  private static final int SHOWN = 5;

  /** Makes the layers of a backbone. */
  private interface BackboneMaker {
    BackboneLayers make(Module owner, Config config);
  }

  /** Networks that make maps of images, by torchvision's names. */
  public enum Backbone {
    /** He et al., CVPR 2016: 11.7 million parameters as a classifier of 1000 classes. */
    RESNET18((owner, config) -> new ResidualBackbone(owner, config, List.of(2, 2, 2, 2), false)),
    /** He et al., CVPR 2016: 21.8 million. */
    RESNET34((owner, config) -> new ResidualBackbone(owner, config, List.of(3, 4, 6, 3), false)),
    /** He et al., CVPR 2016, of bottlenecks: 25.6 million. */
    RESNET50((owner, config) -> new ResidualBackbone(owner, config, List.of(3, 4, 6, 3), true)),
    /** Sandler et al., CVPR 2018: 3.5 million. */
    MOBILENET_V2(MobileBackbone::new);

    private final BackboneMaker maker;

    Backbone(BackboneMaker maker) {
      this.maker = maker;
    }
  }

  /** Makes the layers of a head. */
  private interface HeadMaker {
    BackboneHead make(Module owner, BackboneLayers backbone, Config config);
  }

  /** What is made of a backbone's maps. */
  public enum Head {
    /** One class for the image, of the mean over all positions. */
    CLASSIFIER(32, 0, false, BackboneHead.Classifier::new),
    /** Zhao et al., CVPR 2017: pyramid pooling; features at the output stride. */
    PSPNET(8, 512, true, BackboneHead.PyramidPooling::new),
    /** Chen et al., ECCV 2018: atrous pyramid, joined with the first stage at its size. */
    DEEPLABV3_PLUS(16, 256, true, BackboneHead.AtrousPyramid::new),
    /**
     * The same of separable 3x3 convolutions: a few percent of the layers' weights and products.
     */
    DEEPLABV3_PLUS_SEPARABLE(16, 256, true, BackboneHead.AtrousPyramid::ofSeparable),
    /** Howard et al., ICCV 2019: LR-ASPP, light, joined with the second stage at its size. */
    LRASPP(16, 128, false, BackboneHead.LightPyramid::new);

    private final int outputStride;
    private final int features;
    private final boolean normalizesMeans;
    private final HeadMaker maker;

    Head(int outputStride, int features, boolean normalizesMeans, HeadMaker maker) {
      this.outputStride = outputStride;
      this.features = features;
      this.normalizesMeans = normalizesMeans;
      this.maker = maker;
    }

    /** {@return the output stride of its publication} */
    public int outputStride() {
      return outputStride;
    }

    /** {@return the channels of the features in its publication; 0: it has none} */
    public int features() {
      return features;
    }
  }

  /**
   * The shape of a network.
   *
   * @param channels of the images, 1 to 1024
   * @param backbone which
   * @param head which
   * @param width factor of the backbone's channels, 1/16 to 2; they are rounded to multiples of 8
   * @param outputStride images' size over that of the deepest map: 8, 16 or 32
   * @param features channels of the tap {@link #FEATURES}, 1 to 2048; 0 for a classifier
   * @param classes number of classes, 1 to 65536
   */
  public record Config(
      int channels,
      Backbone backbone,
      Head head,
      double width,
      int outputStride,
      int features,
      int classes) {
    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and what is expected
     */
    public Config {
      requireWithin("channels", channels, 1, MAX_CHANNELS);
      requireWithin("classes", classes, 1, MAX_CLASSES);
      if (!(width >= MIN_WIDTH && width <= MAX_WIDTH)) {
        throw new IllegalArgumentException(
            "%s: width is %s, expected %s to %s".formatted(KIND, width, MIN_WIDTH, MAX_WIDTH));
      }
      if (!OUTPUT_STRIDES.contains(outputStride)) {
        throw new IllegalArgumentException(
            "%s: output stride is %d, expected 8, 16 or 32".formatted(KIND, outputStride));
      }
      if (head != Head.CLASSIFIER) {
        requireWithin("features", features, 1, MAX_FEATURES);
      } else if (features != 0) {
        throw new IllegalArgumentException(
            "%s: features are %d, expected 0: a classifier has none".formatted(KIND, features));
      }
    }

    /**
     * A shape as published, of full width.
     *
     * @param channels of the images
     * @param backbone which
     * @param head which
     * @param classes number of classes
     */
    public Config(int channels, Backbone backbone, Head head, int classes) {
      this(channels, backbone, head, 1, head.outputStride, head.features, classes);
    }

    private static void requireWithin(String name, int number, int least, int most) {
      if (number < least || number > most) {
        throw new IllegalArgumentException(
            "%s: %s is %d, expected %d to %d".formatted(KIND, name, number, least, most));
      }
    }

    /**
     * Refuses batches that cannot train: batch normalisation needs two values of each channel.
     *
     * @param images shape of the images, [B, C, H, W]
     * @throws IllegalArgumentException if a map has one value of each channel
     */
    public void requireTrainable(long... images) {
      long positions = 1;
      if (!head.normalizesMeans) {
        positions = rounded(images[2]) * rounded(images[3]);
      }
      if (images[0] * positions < 2) {
        throw new IllegalArgumentException(
            "%s: images to train on are %s, expected 2 or more%s: batch normalisation of one value"
                    .formatted(
                        KIND,
                        Arrays.toString(images),
                        head.normalizesMeans ? "" : ", or larger ones")
                + " learns nothing");
      }
    }

    private long rounded(long size) {
      return (size + outputStride - 1) / outputStride;
    }
  }

  private final Set<String> taps;

  /**
   * A network with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public BackboneNet(Config config, long seed) {
    super(KIND, config, () -> new Layout(config), seed);
    List<String> names = new ArrayList<>(STAGES);
    names.addAll(List.of(EMBEDDINGS, LOGITS));
    if (config.head != Head.CLASSIFIER) {
      names.addAll(List.of(FEATURES, UPSAMPLED));
    }
    taps = Set.copyOf(names);
  }

  /**
   * A network out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the network, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static BackboneNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new BackboneNet(config, 0));
  }

  /**
   * Takes the backbone's weights out of a file with torchvision's names, such as one of weights of
   * ImageNet, or out of one of a network of this class. What tells classes there is left out.
   *
   * @param file the file
   * @return what was converted and what was left out
   * @throws DataFileException if a tensor is missing, has another shape, is not finite, or belongs
   *     to a layer that this backbone does not have. Nothing has changed then
   * @throws IOException if it cannot be read
   */
  public StateDict.Loaded loadBackbone(TensorFile file) throws IOException {
    String prefix = BACKBONE + ".";
    NameMap names =
        file.names().stream().anyMatch(name -> name.startsWith(prefix))
            ? NameMap.SAME.with(prefix, "")
            : NameMap.SAME;
    Module backbone = layers().backbone;
    try (PointerScope temporaries = new PointerScope()) {
      Set<String> own = StateDict.tensorsOf(backbone).keySet();
      List<String> others =
          file.names().stream()
              .filter(name -> !own.contains(names.inModule(name)))
              .filter(name -> OF_CLASSIFIERS.stream().noneMatch(names.inModule(name)::startsWith))
              .sorted()
              .toList();
      boolean complete = file.names().stream().map(names::inModule).toList().containsAll(own);
      if (complete && !others.isEmpty()) { // else what is missing says more
        throw new DataFileException(
            file.source(),
            "the tensors of a " + Words.of(config().backbone),
            "others as well, as of a larger network: "
                + String.join(", ", others.subList(0, Math.min(SHOWN, others.size())))
                + (others.size() > SHOWN ? " and " + (others.size() - SHOWN) + " more" : ""));
      }
    }
    return StateDict.load(backbone, file, names);
  }

  @Override
  public Set<String> taps() {
    return taps;
  }

  @Override
  public List<NetworkInput> reads() {
    return List.of(NetworkInput.images(config().channels(), 1));
  }

  @Override
  void require(Map<String, Tensor> inputs) {
    super.require(inputs);
    if (module().is_training()) {
      config().requireTrainable(inputs.get(IMAGES).shape());
    }
  }

  /** The layers and how they follow each other. */
  static final class Layout implements BuiltNetwork.Staged {
    private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
    private final Module backbone = NormedConvolution.below(module, BACKBONE);
    private final BackboneLayers layers;
    private final BackboneHead head;

    Layout(Config config) {
      layers = config.backbone.maker.make(backbone, config);
      head = config.head.maker.make(NormedConvolution.below(module, HEAD), layers, config);
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs, Stages kept) {
      Tensor images = inputs.get(IMAGES);
      List<Tensor> stages = layers.stages(images, kept);
      Tensor embeddings = layers.last(stages.get(BackboneLayers.DEEPEST)).mean(2, 3);
      Map<String, Tensor> outputs = new HashMap<>(head.forward(stages, embeddings));
      for (int i = 0; i < STAGES.size(); i++) {
        outputs.put(STAGES.get(i), stages.get(i));
      }
      outputs.put(EMBEDDINGS, embeddings);
      if (outputs.containsKey(FEATURES)) {
        outputs.put(UPSAMPLED, BackboneHead.resized(outputs.get(LOGITS), images));
      }
      return outputs;
    }
  }
}
