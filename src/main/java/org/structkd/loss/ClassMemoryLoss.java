package org.structkd.loss;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.Generators;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Owned;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;

/**
 * Memory loss of CIRKD: compares how like the student's and the teacher's pixels are to pixels and
 * regions of many images before, which a memory of the teacher's features keeps for each class.
 *
 * <pre>{@code
 * L   = pixelWeight L_pixels + regionWeight L_regions
 * L_x = kdTemperature^2 / M sum over M labelled pixels of KL(q, p)
 * p   = softmax over the samples of <s, sample> / (temperature kdTemperature), q the same of t
 * }</pre>
 *
 * <p>s is the student's feature behind a projector, t the teacher's, both of length 1. A call first
 * enqueues what the teacher makes of the batch, then compares. Of each image and class that has a
 * label there, in this order, it enqueues the mean of the class's t, scaled to length 1, as a
 * region, and up to {@code pixelsPerImage} random t of the class. The oldest entries are
 * overwritten. The samples are the entries at random places, the same places for every class.
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; 0 where no pixel has a label.
 *   <li><b>Gradient:</b> to the student only, and to the projector; memory and teacher are
 *       constant.
 *   <li><b>State:</b> each call in training mode moves the memory, each batch of a step that
 *       accumulates several; in evaluation mode ({@code module().eval()}) none does. What is drawn
 *       follows seed and step.
 *   <li><b>Memory:</b> classes x (pixels + regions) x Ct numbers, and M x samples.
 *   <li><b>Threads:</b> immutable, may be shared; a memory serves one training.
 * </ul>
 *
 * <p>Source: C. Yang et al., "Cross-Image Relational Knowledge Distillation for Semantic
 * Segmentation", CVPR 2022, arXiv 2204.06986; code winycg/CIRKD dab64db. Weight there: 0.1 for
 * either term.
 *
 * @param classes how many there are, at least 1
 * @param pixels entries of a class's queue of pixels, at least 1
 * @param regions entries of a class's queue of regions, at least 1
 * @param pixelsPerImage how many pixels of a class an image enqueues at most, at least 1
 * @param pixelSamples about how many pixels are compared with, at least 1: {@code pixelSamples /
 *     classes + 1} of each class
 * @param regionSamples the same of regions
 * @param temperature of the products, greater than 0
 * @param kdTemperature of the distributions, greater than 0
 * @param pixelWeight at least 0
 * @param regionWeight at least 0, not both 0
 */
public record ClassMemoryLoss(
    int classes,
    int pixels,
    int regions,
    int pixelsPerImage,
    int pixelSamples,
    int regionSamples,
    double temperature,
    double kdTemperature,
    double pixelWeight,
    double regionWeight)
    implements CountingLoss {
  private static final String NAME = "class memory loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** Streams of what a step draws: keys of pixels, and places in the queues. */
  private static final long KEYS = 0;

  private static final long PIXELS = 1;
  private static final long REGIONS = 2;

  /** Above every key of a draw, which are below 1. */
  private static final double NOT_DRAWN = 2;

  /** Checks the settings. */
  public ClassMemoryLoss {
    Settings.requireCount(NAME, "classes", classes, 1);
    Settings.requireCount(NAME, "pixels", pixels, 1);
    Settings.requireCount(NAME, "regions", regions, 1);
    Settings.requireCount(NAME, "pixelsPerImage", pixelsPerImage, 1);
    Settings.requireCount(NAME, "pixelSamples", pixelSamples, 1);
    Settings.requireCount(NAME, "regionSamples", regionSamples, 1);
    Settings.requirePositive(NAME, "temperature", temperature);
    Settings.requirePositive(NAME, "kdTemperature", kdTemperature);
    Settings.requireWeights(NAME, "pixelWeight", pixelWeight, "regionWeight", regionWeight);
    requireSamples("pixels", pixels, "pixelSamples", pixelSamples, classes);
    requireSamples("regions", regions, "regionSamples", regionSamples, classes);
  }

  private static void requireSamples(
      String queue, int length, String name, int samples, int classes) {
    if (samples / classes + 1 > length) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + name
              + " is "
              + samples
              + ", that is "
              + (samples / classes + 1)
              + " of each of "
              + classes
              + " classes, but "
              + queue
              + " keeps "
              + length
              + " of a class");
    }
  }

  /**
   * {@return CIRKD's settings for Cityscapes: 19 classes, 20000 pixels and 2000 regions of each}
   */
  public static ClassMemoryLoss cirkd() {
    return new ClassMemoryLoss(19, 20_000, 2_000, 16, 4_096, 1_024, 0.1, 1, 1, 1);
  }

  /** {@return the same for another number of classes} */
  public ClassMemoryLoss withClasses(int count) {
    return new ClassMemoryLoss(
        count,
        pixels,
        regions,
        pixelsPerImage,
        pixelSamples,
        regionSamples,
        temperature,
        kdTemperature,
        pixelWeight,
        regionWeight);
  }

  /** {@inheritDoc} It remembers the batches before. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    Needs.Role features = Needs.Role.of(FEATURES, 3, 4);
    return new Needs(
        List.of(features), List.of(features), Set.of(LossInputs.LABELS), Set.of(), true);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    MapPair maps = maps(dryRun);
    return Optional.of(
        new Memory(
            this, (int) maps.student().map().size(1), (int) maps.teacher().map().size(1), seed));
  }

  /**
   * {@inheritDoc} Labelled pixels are counted.
   *
   * @param inputs features [B, C, H, W] or tokens [B, N, C] of one size, labels of any size, and
   *     the memory as the part
   * @return loss (f64 if the memory is, else f32) and count; in the caller's PointerScope
   * @throws IllegalArgumentException if there is no memory or one of other channels, sizes differ,
   *     labels are no classes, or a batch could fill a queue more than once
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    MapPair maps = maps(inputs);
    if (!(inputs.part() instanceof Memory memory)) {
      throw new IllegalArgumentException(NAME + ": it has no memory: make one by trainedPart()");
    }
    memory.requireFit(maps);
    Labels labels =
        Labels.of(
            maps.student(), inputs.target(LossInputs.LABELS), inputs.ignoreIndex().orElse(-1));
    labels.requireClasses(classes, "the setting classes");
    Draws draws = new Draws(memory.seed, inputs.step());
    Tensor teacher = rows(maps.teacher().map().detach().to(memory.type()));
    if (memory.module().is_training()) {
      memory.enqueue(teacher, labels, draws);
    }
    Tensor student = rows(memory.projector.forward(maps.student().map().to(memory.type())));
    Tensor labelled = labels.valid().flatten(0, -1).nonzero().squeeze(1);
    Tensor s = student.index_select(0, labelled);
    Tensor t = teacher.index_select(0, labelled);
    Tensor sum =
        divergence(
                s, t, memory.pixels.sample(draws, PIXELS, pixelSamples / classes + 1), pixelWeight)
            .add(
                divergence(
                    s,
                    t,
                    memory.regions.sample(draws, REGIONS, regionSamples / classes + 1),
                    regionWeight));
    return new LossValue(
        sum.div(new Scalar((double) Math.max(1, labelled.size(0)))),
        Tensor.create(new long[] {labelled.size(0)}));
  }

  private Tensor divergence(Tensor student, Tensor teacher, Tensor samples, double weight) {
    return MemoryQueue.divergence(student, teacher, samples, temperature, kdTemperature)
        .mul(new Scalar(weight));
  }

  /** Features of length 1, a row for each pixel: [B N, C]. */
  private static Tensor rows(Tensor map) {
    return Rows.unit(map.flatten(2, -1).transpose(1, 2).flatten(0, 1));
  }

  private MapPair maps(LossInputs inputs) {
    MapPair maps =
        MapPair.of(NAME, inputs.student(FEATURES), inputs.teacher(FEATURES), MapView.Accepts.TOKENS)
            .requireSameSize();
    long batch = maps.student().map().size(0);
    if (batch * pixelsPerImage > pixels || batch > regions) {
      throw new IllegalArgumentException(
          NAME
              + ": a batch of "
              + batch
              + " enqueues up to "
              + batch * pixelsPerImage
              + " pixels and "
              + batch
              + " regions of a class, but a queue keeps "
              + pixels
              + " and "
              + regions);
    }
    return maps;
  }

  /** Queues and projector of one training. */
  private static final class Memory implements TrainedPart {
    private final ClassMemoryLoss settings;
    private final long seed;
    private final Projector projector;
    private final int studentChannels;
    private final Owned<Module> owned;
    private MemoryQueue pixels;
    private MemoryQueue regions;

    Memory(ClassMemoryLoss settings, int studentChannels, int teacherChannels, long seed) {
      this.settings = settings;
      this.seed = seed;
      this.studentChannels = studentChannels;
      projector = new Projector(studentChannels, teacherChannels, seed);
      owned =
          Owned.make(
              "class memory", () -> Generators.seeded(seed, () -> registered(teacherChannels)));
    }

    private Module registered(int channels) {
      Module module = new ModuleDictImpl();
      module.register_module("projector", projector.module());
      pixels = new MemoryQueue(module, "pixels", settings.classes, settings.pixels, channels);
      regions = new MemoryQueue(module, "regions", settings.classes, settings.regions, channels);
      return module;
    }

    private ScalarType type() {
      return module().parameters().get(0).scalar_type().intern();
    }

    void requireFit(MapPair maps) {
      long student = maps.student().map().size(1);
      long teacher = maps.teacher().map().size(1);
      if (student != studentChannels || teacher != pixels.size()) {
        throw new IllegalArgumentException(
            NAME
                + ": student and teacher have "
                + student
                + " and "
                + teacher
                + " channels, but the memory was made for "
                + studentChannels
                + " and "
                + pixels.size());
      }
    }

    /** Enqueues regions and pixels of the classes of each image, image by image. */
    void enqueue(Tensor teacher, Labels labels, Draws draws) {
      Tensor classOf = labels.classesOr(-1).flatten(1, -1).unsqueeze(1);
      long batch = classOf.size(0);
      long positions = classOf.size(2);
      Tensor all =
          torch
              .arange(new Scalar((long) settings.classes))
              .to(classOf.device(), ScalarType.Long)
              .view(1, settings.classes, 1);
      Tensor members = classOf.eq(all); // [B, classes, N]
      Tensor counts = members.sum(2);
      Tensor sums = members.to(teacher.scalar_type()).bmm(teacher.view(batch, positions, -1));
      Tensor means = Rows.unit(sums);
      Tensor own =
          torch
              .arange(new Scalar(batch * settings.classes))
              .to(classOf.device(), ScalarType.Long)
              .view(batch, settings.classes);
      regions.enqueue(means.flatten(0, 1), own.t(), counts.gt(new Scalar(0)).t());

      Tensor keys = draws.uniform(KEYS, classOf.device(), batch, 1, positions);
      long most = Math.min(settings.pixelsPerImage, positions);
      T_TensorTensor_T least =
          keys.expand(members.shape())
              .masked_fill(members.logical_not(), new Scalar(NOT_DRAWN))
              .topk(most, 2, false, true);
      Tensor image =
          torch
              .arange(new Scalar(batch))
              .to(classOf.device(), ScalarType.Long)
              .mul(new Scalar(positions))
              .view(batch, 1, 1);
      Tensor rows = least.get1().add(image); // [B, classes, most]
      pixels.enqueue(
          teacher,
          rows.transpose(0, 1).flatten(1, -1),
          least.get0().lt(new Scalar(NOT_DRAWN)).transpose(0, 1).flatten(1, -1));
    }

    @Override
    public Module module() {
      return owned.get();
    }

    @Override
    public void close() {
      owned.close();
      projector.close();
    }
  }
}
