package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Owned;

/**
 * The discriminator of SKD: tells the teacher's maps of classes from the student's.
 *
 * <pre>{@code
 * map [B, K, H, W] -> batch normalisation with the statistics of the batch
 *   -> blocks of 4x4 convolution (stride 2, spectral normalisation), leaky ReLU of slope 0.1
 *      64, 128, 256 and, of four, 512 channels; self-attention behind blocks 3 and 4
 *   -> 4x4 convolution to one channel -> mean over its map [B]
 * }</pre>
 *
 * <p>Each forward does one power iteration of every spectral normalisation, so its vectors, which
 * are buffers, move: use it from one thread. It owns its layers until it is closed or collected.
 * {@link HolisticLoss} makes one for each training; one's own is for games of another kind.
 *
 * <p>Source: irfanICMLL/structure_knowledge_distillation ce208e1, {@code networks/sagan_models.py}.
 */
public final class Discriminator implements TrainedPart {
  private static final String NAME = "discriminator";

  /** Channels behind the first block; the others double. */
  private static final int WIDTH = 64;

  private static final int KERNEL = 4;
  private static final double SLOPE = 0.1;

  /** The first block whose answer is attended to. */
  private static final int FIRST_ATTENTION = 3;

  /** What an attention divides its channels by for queries and keys. */
  private static final int ATTENTION_SHARE = 8;

  private static final double NORM_EPS = 1e-5;

  /** The guard of the vectors' lengths in a power iteration. */
  private static final double LENGTH_EPS = 1e-12;

  /** Blocks that the channels are made for. */
  private static final int LEAST_BLOCKS = 3;

  private static final int MOST_BLOCKS = 4;

  /** Square of the least length of a gradient whose root is differentiated. */
  private static final double LEAST_SQUARE = 1e-24;

  private final Owned<Net> net;

  /**
   * What a discriminator says of maps.
   *
   * @param values one number for each map, [B]: the larger, the more it looks like a teacher's
   * @param attentions of the blocks that have one: [B, positions, positions], each row a
   *     distribution over the positions that one position attends to
   */
  public record Judgement(Tensor values, List<Tensor> attentions) {
    /** Copies the list. */
    public Judgement {
      attentions = List.copyOf(attentions);
    }
  }

  /**
   * A discriminator with random weights.
   *
   * @param channels of the maps, at least 1
   * @param blocks 3 for maps whose shorter side has 32 positions or more, 4 from 64 on
   * @param seed of the weights: equal ones give equal weights. LibTorch's generator is left as it
   *     was
   * @throws IllegalArgumentException if a number is out of its range
   */
  public Discriminator(int channels, int blocks, long seed) {
    if (channels < 1 || blocks < LEAST_BLOCKS || blocks > MOST_BLOCKS) {
      throw new IllegalArgumentException(
          "%s: channels is %s and blocks is %s, expected at least 1 channel and 3 or 4 blocks"
              .formatted(NAME, channels, blocks));
    }
    net = Owned.make(NAME, () -> Generators.seeded(seed, () -> new Net(channels, blocks)));
  }

  @Override
  public Module module() {
    return net.get().module;
  }

  @Override
  public void close() {
    net.close();
  }

  /**
   * Judges maps.
   *
   * @param map [B, K, H, W] in the type of the weights
   * @param learns whether the weights shall get gradients; the map does anyway
   * @return in the PointerScope that is open
   */
  public Judgement judge(Tensor map, boolean learns) {
    return net.get().judge(map, learns);
  }

  /**
   * The gradient penalty of WGAN-GP: mean over the maps of (n - 1)^2, n the length of the gradient
   * of the judgement by a map between the two given ones. Its own gradient is a second derivative
   * of the discriminator; where n is 0, it is 0.
   *
   * @param real maps of the teacher
   * @param fake maps of the student, of the same shape
   * @param alphas the share of the teacher's, [B, 1, 1, 1]
   * @return a scalar without a weight, in the PointerScope that is open
   */
  public Tensor penalty(Tensor real, Tensor fake, Tensor alphas) {
    Tensor between =
        real.mul(alphas).add(fake.mul(alphas.neg().add(new Scalar(1)))).requires_grad_(true);
    Tensor judged = judge(between, true).values().sum();
    Tensor gradient =
        torch
            .grad(
                new TensorVector(judged),
                new TensorVector(between),
                new TensorVector(),
                new BoolOptional(true),
                true,
                false)
            .get(0);
    Tensor lengths =
        gradient
            .flatten(1, -1)
            .square()
            .sum(new long[] {1}, false, new ScalarTypeOptional())
            .clamp_min(new Scalar(LEAST_SQUARE))
            .sqrt();
    return lengths.sub(new Scalar(1)).square().mean();
  }

  /** The layers. */
  private static final class Net {
    private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
    private final Tensor scale;
    private final Tensor shift;
    private final List<SpectralConvolution> blocks = new ArrayList<>();
    private final List<Attention> attentions = new ArrayList<>();
    private final Conv2dImpl last;

    Net(int channels, int blockCount) {
      scale = Layers.parameter(module, "scale", torch.ones(channels));
      shift = Layers.parameter(module, "shift", torch.zeros(channels));
      int in = channels;
      int out = WIDTH;
      for (int block = 1; block <= blockCount; block++) {
        blocks.add(new SpectralConvolution(module, "block" + block, in, out));
        if (block >= FIRST_ATTENTION) {
          attentions.add(new Attention(module, "attention" + block, out));
        }
        in = out;
        out *= 2;
      }
      last = Layers.convolution(module, "last", in, 1, KERNEL, 1, 0, true);
    }

    Judgement judge(Tensor map, boolean learns) {
      Tensor x =
          torch.batch_norm(
              map,
              new TensorOptional(constantUnless(learns, scale)),
              new TensorOptional(constantUnless(learns, shift)),
              new TensorOptional(),
              new TensorOptional(),
              true,
              0,
              NORM_EPS,
              false);
      List<Tensor> weights = new ArrayList<>();
      for (int block = 0; block < blocks.size(); block++) {
        x = torch.leaky_relu(blocks.get(block).forward(x, learns), new Scalar(SLOPE));
        if (block + 1 >= FIRST_ATTENTION) {
          Attention attention = attentions.get(weights.size());
          weights.add(attention.weights(x, learns));
          x = attention.forward(x, weights.get(weights.size() - 1), learns);
        }
      }
      return new Judgement(
          lastMap(x, learns).flatten(1, -1).mean(1).to(map.scalar_type()), weights);
    }

    /** The last layer in f64: its sums of 8192 products cancel, and in f32 were 1e-5 off. */
    private Tensor lastMap(Tensor x, boolean learns) {
      return torch.conv2d(
          x.to(ScalarType.Double),
          constantUnless(learns, last.weight()).to(ScalarType.Double),
          new TensorOptional(constantUnless(learns, last.bias()).to(ScalarType.Double)),
          new long[] {1, 1},
          new long[] {0, 0},
          new long[] {1, 1},
          1);
    }
  }

  private static Tensor constantUnless(boolean learns, Tensor weight) {
    return learns ? weight : weight.detach();
  }

  private static Tensor convolved(
      Tensor x, Conv2dImpl layer, boolean learns, long stride, long padding) {
    return convolved(x, constantUnless(learns, layer.weight()), layer, learns, stride, padding);
  }

  private static Tensor convolved(
      Tensor x, Tensor weight, Conv2dImpl layer, boolean learns, long stride, long padding) {
    return torch.conv2d(
        x,
        weight,
        new TensorOptional(constantUnless(learns, layer.bias())),
        new long[] {stride, stride},
        new long[] {padding, padding},
        new long[] {1, 1},
        1);
  }

  /** A convolution whose weight is divided by an estimate of its largest singular value. */
  private static final class SpectralConvolution {
    private final Conv2dImpl layer;
    private final Tensor left;
    private final Tensor right;

    SpectralConvolution(Module owner, String name, int in, int out) {
      layer = Layers.convolution(owner, name, in, out, KERNEL, 2, 1, true);
      left = Layers.buffer(owner, name + "_u", unit(torch.randn(out)));
      right = Layers.buffer(owner, name + "_v", unit(torch.randn((long) in * KERNEL * KERNEL)));
    }

    Tensor forward(Tensor x, boolean learns) {
      Tensor weight = constantUnless(learns, layer.weight());
      Tensor matrix = weight.flatten(1, -1);
      Tensor u;
      Tensor v;
      try (NoGradGuard iteration = new NoGradGuard()) {
        // Fresh tensors: a graph of this step keeps those of its own forward.
        v = unit(matrix.t().mv(left));
        u = unit(matrix.mv(v));
        right.copy_(v);
        left.copy_(u);
      }
      Tensor largest = u.dot(matrix.mv(v));
      return convolved(x, weight.div(largest), layer, learns, 2, 1);
    }

    private static Tensor unit(Tensor vector) {
      return vector.div(vector.norm().add(new Scalar(LENGTH_EPS)));
    }
  }

  /** Self-attention over positions, added with a factor that begins at 0. */
  private static final class Attention {
    private final Conv2dImpl query;
    private final Conv2dImpl key;
    private final Conv2dImpl value;
    private final Tensor gamma;

    Attention(Module owner, String name, int channels) {
      int few = channels / ATTENTION_SHARE;
      query = Layers.convolution(owner, name + "_query", channels, few, 1, 1, true);
      key = Layers.convolution(owner, name + "_key", channels, few, 1, 1, true);
      value = Layers.convolution(owner, name + "_value", channels, channels, 1, 1, true);
      gamma = Layers.parameter(owner, name + "_gamma", torch.zeros(1));
    }

    /** How much each position takes of each. */
    Tensor weights(Tensor x, boolean learns) {
      Tensor queries = convolved(x, query, learns, 1, 0).flatten(2, -1);
      Tensor keys = convolved(x, key, learns, 1, 0).flatten(2, -1);
      return torch.softmax(queries.transpose(1, 2).bmm(keys), 2, new ScalarTypeOptional());
    }

    Tensor forward(Tensor x, Tensor weights, boolean learns) {
      Tensor values = convolved(x, value, learns, 1, 0).flatten(2, -1);
      Tensor attended = values.bmm(weights.transpose(1, 2)).view(x.shape());
      return attended.mul(constantUnless(learns, gamma)).add(x);
    }
  }
}
