package org.structkd.model;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.GRUImpl;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.CrowdDataset;
import org.structkd.data.DataFileException;

/**
 * Predicts where a person goes: a recurrent encoder reads the steps that were seen, a recurrent
 * decoder puts out by how much each step to come differs from the last one.
 *
 * <pre>{@code
 * observed [B, O, 2], neighbours [B, O, 2 K]
 *   o_i  = observed place i - the one before                      the O - 1 steps that were seen
 *   h    = last state of GRU(relu(linear(o_i, neighbours_i)))     tap "encoder"    [B, width]
 *   h_t  = states of GRU(h, h, ...), which begins at h            the P steps to come
 *   d_t  = o_{O-1} + linear(h_t)                                  linear begins small
 *   d_1 + ... + d_t                                               tap "positions"  [B, P, 2]
 * }</pre>
 *
 * <p>Positions are metres from the last observed place. It begins near constant velocity, and so
 * learns in fewer steps than a network that begins at nothing. It owns its layers until it is
 * closed or collected. For one thread at a time.
 *
 * <p>Source: A. Alahi et al., "Social LSTM: Human Trajectory Prediction in Crowded Spaces", CVPR
 * 2016, for the recurrent network of steps; K. Cho et al., EMNLP 2014, arXiv 1406.1078, for
 * encoder, decoder and gated units. Neighbours are read as they lie instead of pooled, and no
 * distribution is predicted.
 */
public final class TrajectoryNet extends BuiltNetwork<TrajectoryNet.Config, TrajectoryNet.Units> {
  /** Input: where the person was. */
  public static final String OBSERVED = CrowdDataset.OBSERVED;

  /** Input: where the nearest others were. */
  public static final String NEIGHBOURS = CrowdDataset.NEIGHBOURS;

  /** Tap: where the person goes. */
  public static final String POSITIONS = "positions";

  /** Tap: the state that the encoder ends with. */
  public static final String ENCODER = "encoder";

  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "trajectory net";

  /** Largest width and most steps or neighbours. */
  public static final int MAX_SIZE = 1024;

  /** What is left of the usual initial weights of the last layer: changes begin near 0. */
  private static final double INITIAL_SHARE = 0.1;

  /**
   * The shape of a net.
   *
   * @param observed steps that it reads, 2 to {@link #MAX_SIZE}
   * @param predicted steps that it puts out, 1 to {@link #MAX_SIZE}
   * @param neighbours people whom it reads beside, 1 to {@link #MAX_SIZE}
   * @param width size of its states, 1 to {@link #MAX_SIZE}
   */
  public record Config(int observed, int predicted, int neighbours, int width) {
    /** Checks the numbers. */
    public Config {
      requireSize("number of observed steps", observed, 2);
      requireSize("number of predicted steps", predicted, 1);
      requireSize("number of neighbours", neighbours, 1);
      requireSize("width", width, 1);
    }

    private static void requireSize(String name, int size, int least) {
      if (size < least || size > MAX_SIZE) {
        throw new IllegalArgumentException(
            "the %s of a trajectory net must be %s to %s but is %s"
                .formatted(name, least, MAX_SIZE, size));
      }
    }
  }

  /**
   * A net with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public TrajectoryNet(Config config, long seed) {
    super(KIND, config, () -> new Units(config), seed);
  }

  /**
   * A net out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the net, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static TrajectoryNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new TrajectoryNet(config, 0));
  }

  @Override
  public Set<String> taps() {
    return Set.of(POSITIONS, ENCODER);
  }

  @Override
  public List<NetworkInput> reads() {
    NetworkInput.Axis examples = NetworkInput.Axis.any("B", 1);
    NetworkInput.Axis steps = NetworkInput.Axis.of(config().observed());
    return List.of(
        NetworkInput.numbers(OBSERVED, examples, steps, NetworkInput.Axis.of(2)),
        NetworkInput.numbers(
            NEIGHBOURS, examples, steps, NetworkInput.Axis.of(2 * config().neighbours())));
  }

  @Override
  void require(Map<String, Tensor> inputs) {
    super.require(inputs);
    Tensor observed = inputs.get(OBSERVED);
    Tensor neighbours = inputs.get(NEIGHBOURS);
    if (observed.size(0) != neighbours.size(0)) {
      throw new IllegalArgumentException(
          "%s: observed and neighbours have %d and %d examples, expected as many"
              .formatted(KIND, observed.size(0), neighbours.size(0)));
    }
  }

  /** The recurrent units, and what brings numbers to them and takes numbers from them. */
  static final class Units implements BuiltNetwork.Layout {
    private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
    private final int predicted;
    private final LinearImpl seen;
    private final GRUImpl encoder;
    private final GRUImpl decoder;
    private final LinearImpl change;

    Units(Config config) {
      predicted = config.predicted();
      int width = config.width();
      seen = module.register_module("seen", new LinearImpl(2 + 2L * config.neighbours(), width));
      encoder = recurrent("encoder", width);
      decoder = recurrent("decoder", width);
      change = module.register_module("change", new LinearImpl(width, 2));
      try (NoGradGuard initial = new NoGradGuard()) {
        change.weight().mul_(new Scalar(INITIAL_SHARE));
        change.bias().zero_();
      }
    }

    /** Tensors [steps, B, width], as LibTorch has them. */
    private GRUImpl recurrent(String name, int width) {
      return module.register_module(name, new GRUImpl(width, width));
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      Tensor observed = inputs.get(OBSERVED).transpose(0, 1);
      long steps = observed.size(0) - 1;
      Tensor walked = observed.narrow(0, 1, steps).sub(observed.narrow(0, 0, steps));
      Tensor others = inputs.get(NEIGHBOURS).transpose(0, 1).narrow(0, 1, steps);
      Tensor read = torch.relu(seen.forward(torch.cat(new TensorVector(walked, others), 2)));
      // LibTorch's own zeros would be of this batch's size in a trace.
      Tensor zeros = torch.zeros_like(read.narrow(0, 0, 1));
      Tensor state = encoder.forward(read, zeros).get1();
      Tensor states = decoder.forward(state.expand(predicted, -1, -1), state).get0();
      Tensor next = change.forward(states).add(walked.narrow(0, steps - 1, 1));
      return Map.of(
          ENCODER, state.squeeze(0), POSITIONS, next.cumsum(0).transpose(0, 1).contiguous());
    }
  }
}
