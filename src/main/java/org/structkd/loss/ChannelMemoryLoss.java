package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.Generators;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Owned;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Channel memory loss of CIRKDV2: compares how like the student's and the teacher's channels, each
 * a picture of where it answers, are to channels of many images before, which a memory of the
 * teacher's keeps.
 *
 * <pre>{@code
 * L = 1/(B C) sum over images and channels of KL(q, p)
 * p = softmax over the samples of <s, sample> / temperature, q the same of t
 * }</pre>
 *
 * <p>Maps are averaged over windows of 4 x 4, the student's goes through a projector to the
 * teacher's C channels, and each channel is scaled to length 1 over its positions: s and t. A call
 * first enqueues random t of the batch, then compares with entries at random places.
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0.
 *   <li><b>Gradient:</b> to the student only, and to the projector; memory and teacher are
 *       constant.
 *   <li><b>State:</b> as of {@link ClassMemoryLoss}: each call in training mode moves the memory,
 *       none in evaluation mode; what is drawn follows seed and step.
 *   <li><b>Memory:</b> channels x H W / 16 numbers, for maps of one size.
 *   <li><b>Threads:</b> immutable, may be shared; a memory serves one training.
 * </ul>
 *
 * <p>Source: C. Yang et al., CIRKDV2, the code of winycg/CIRKD. Weight there: 0.1.
 *
 * @param channels entries of the queue, at least 1
 * @param channelsPerStep how many channels of a batch are enqueued at most, at least 1
 * @param samples how many channels are compared with, at least 1
 * @param temperature of the products, greater than 0
 */
public record ChannelMemoryLoss(int channels, int channelsPerStep, int samples, double temperature)
    implements Loss {
  private static final String NAME = "channel memory loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** Streams of what a step draws: channels to enqueue, and places in the queue. */
  private static final long CHANNELS = 0;

  private static final long PLACES = 1;

  /** Side of the windows that maps are averaged over. */
  private static final long WINDOW = 4;

  /** Checks the settings. */
  public ChannelMemoryLoss {
    Settings.requireCount(NAME, "channels", channels, 1);
    Settings.requireCount(NAME, "channelsPerStep", channelsPerStep, 1);
    Settings.requireCount(NAME, "samples", samples, 1);
    if (channelsPerStep > channels || samples > channels) {
      throw new IllegalArgumentException(
          NAME
              + ": channelsPerStep is "
              + channelsPerStep
              + " and samples is "
              + samples
              + ", but the queue keeps "
              + channels
              + " channels");
    }
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** {@return CIRKDV2's settings: 10000 channels, 256 of a step, 2048 samples, temperature 0.1} */
  public static ChannelMemoryLoss cirkdv2() {
    return new ChannelMemoryLoss(10_000, 256, 2_048, 0.1);
  }

  /** {@inheritDoc} It remembers the batches before. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(FEATURES, 4), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    return Optional.of(new Memory(this, maps(dryRun), seed));
  }

  /**
   * Computes the loss.
   *
   * @param inputs features [B, C, H, W] of one size, H and W multiples of 4, and the memory as the
   *     part
   * @return scalar, f64 if the memory is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if there is no memory or one of other channels or another
   *     size, or the maps' sizes differ or are no multiples of 4
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(inputs);
          if (!(inputs.part() instanceof Memory memory)) {
            throw new IllegalArgumentException(
                NAME + ": it has no memory: make one by trainedPart()");
          }
          memory.requireFit(maps);
          ScalarType type = memory.module().parameters().get(0).scalar_type().intern();
          Tensor teacher = rows(averaged(maps.teacher().map().detach().to(type)));
          Draws draws = new Draws(memory.seed, inputs.step());
          if (memory.module().is_training()) {
            memory.enqueue(teacher, draws);
          }
          Tensor student = rows(memory.projector.forward(averaged(maps.student().map().to(type))));
          return MemoryQueue.divergence(
                  student, teacher, memory.queue.sample(draws, PLACES, samples), temperature, 1)
              .div(new Scalar((double) teacher.size(0)));
        });
  }

  private static Tensor averaged(Tensor map) {
    long[] window = {WINDOW, WINDOW};
    return torch.avg_pool2d(map, window, window, new long[] {0, 0}, true, true, new LongOptional());
  }

  /** A row of length 1 for each image and channel: [B C, positions]. */
  private static Tensor rows(Tensor map) {
    return Rows.unit(map.flatten(2, -1)).flatten(0, 1);
  }

  private static MapPair maps(LossInputs inputs) {
    MapPair maps =
        MapPair.of(NAME, inputs.student(FEATURES), inputs.teacher(FEATURES), MapView.Accepts.MAPS)
            .requireSameSize();
    Tensor map = maps.student().map();
    if (map.size(2) % WINDOW != 0 || map.size(3) % WINDOW != 0) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("student", map)
              + " has height and width "
              + map.size(2)
              + " and "
              + map.size(3)
              + ", expected multiples of 4, by which the queue's length of H W / 16 is whole");
    }
    return maps;
  }

  /** Queue and projector of one training. */
  private static final class Memory implements TrainedPart {
    private final ChannelMemoryLoss settings;
    private final long seed;
    private final Projector projector;
    private final long studentChannels;
    private final long teacherChannels;
    private final Owned<Module> owned;
    private MemoryQueue queue;

    Memory(ChannelMemoryLoss settings, MapPair maps, long seed) {
      this.settings = settings;
      this.seed = seed;
      studentChannels = maps.student().map().size(1);
      teacherChannels = maps.teacher().map().size(1);
      projector = new Projector((int) studentChannels, (int) teacherChannels, seed);
      long positions = positions(maps);
      owned =
          Owned.make("channel memory", () -> Generators.seeded(seed, () -> registered(positions)));
    }

    private Module registered(long positions) {
      Module module = new ModuleDictImpl();
      module.register_module("projector", projector.module());
      queue = new MemoryQueue(module, "channels", 1, settings.channels, positions);
      return module;
    }

    private static long positions(MapPair maps) {
      Tensor map = maps.student().map();
      return map.size(2) / WINDOW * (map.size(3) / WINDOW);
    }

    void requireFit(MapPair maps) {
      long student = maps.student().map().size(1);
      long teacher = maps.teacher().map().size(1);
      if (student != studentChannels
          || teacher != teacherChannels
          || positions(maps) != queue.size()) {
        throw new IllegalArgumentException(
            NAME
                + ": student and teacher have "
                + student
                + " and "
                + teacher
                + " channels of "
                + positions(maps)
                + " windows, but the memory was made for "
                + studentChannels
                + " and "
                + teacherChannels
                + " channels of "
                + queue.size());
      }
    }

    /** Enqueues some of the batch's channels, in a random order. */
    void enqueue(Tensor teacher, Draws draws) {
      long rows = teacher.size(0);
      Tensor chosen =
          MemoryQueue.permutation(draws, CHANNELS, rows, teacher.device())
              .narrow(0, 0, Math.min(rows, settings.channelsPerStep))
              .unsqueeze(0);
      queue.enqueue(teacher, chosen, torch.ones_like(chosen).to(ScalarType.Bool));
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
