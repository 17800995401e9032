package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Owned;

/**
 * The attention of AFD: how much each layer of one network, a query, takes of each layer of the
 * other, a key.
 *
 * <pre>{@code
 * q_i = BN(W_i mean_x f_i)    k_j = relu(BN(W_j mean_x f_j))    K_ji = BN(W k_j), cut into n_q parts
 * a_bij = softmax_j( (<K_ji, q_i> + <p_i, p_j>) / sqrt(d) )
 * }</pre>
 *
 * <p>Normalisations take the statistics of the batch and have no others; that of K is one over the
 * rows of all keys. The layers learn with the student and are not needed afterwards.
 *
 * <p>Source: clovaai/attention-feature-distillation dd990d0, {@code distill/AFD.py}.
 */
final class LayerAttention implements TrainedPart {
  private static final double NORM_EPS = 1e-5;

  private final Owned<Head> head;

  /** A linear layer and a normalisation of its rows. */
  private static final class NormalizedLinear {
    private final Tensor weight;
    private final Tensor bias;
    private final Tensor scale;
    private final Tensor shift;

    /** Weights as LibTorch's linear layer draws them: uniform within 1 / sqrt(in). */
    NormalizedLinear(Module owner, String name, long in, long out) {
      double bound = 1 / Math.sqrt(in);
      weight = Layers.parameter(owner, name + "_weight", uniform(bound, torch.rand(out, in)));
      bias = Layers.parameter(owner, name + "_bias", uniform(bound, torch.rand(out)));
      scale = Layers.parameter(owner, name + "_scale", torch.ones(out));
      shift = Layers.parameter(owner, name + "_shift", torch.zeros(out));
    }

    private static Tensor uniform(double bound, Tensor drawn) {
      return drawn.mul(new Scalar(2 * bound)).sub(new Scalar(bound));
    }

    Tensor forward(Tensor rows) {
      return torch.batch_norm(
          torch.linear(rows, weight, bias),
          new TensorOptional(scale),
          new TensorOptional(shift),
          new TensorOptional(),
          new TensorOptional(),
          true,
          0,
          NORM_EPS,
          false);
    }
  }

  /** The layers. */
  private static final class Head {
    private final Module module = new ModuleDictImpl();
    private final List<NormalizedLinear> queries = new ArrayList<>();
    private final List<NormalizedLinear> keys = new ArrayList<>();
    private final NormalizedLinear bilinear;
    private final Tensor queryPositions;
    private final Tensor keyPositions;

    Head(List<Long> queryChannels, List<Long> keyChannels, int dimension) {
      for (long channels : queryChannels) {
        queries.add(new NormalizedLinear(module, "query" + queries.size(), channels, dimension));
      }
      for (long channels : keyChannels) {
        keys.add(new NormalizedLinear(module, "key" + keys.size(), channels, dimension));
      }
      bilinear =
          new NormalizedLinear(module, "bilinear", dimension, (long) dimension * queries.size());
      queryPositions = positions("query_positions", queries.size(), dimension);
      keyPositions = positions("key_positions", keys.size(), dimension);
    }

    /** Normal values by Xavier's rule. */
    private Tensor positions(String name, long layers, long dimension) {
      Tensor drawn = torch.randn(layers, dimension);
      return Layers.parameter(
          module, name, drawn.mul(new Scalar(Math.sqrt(2.0 / (layers + dimension)))));
    }
  }

  /** Layers with random weights. */
  LayerAttention(List<Long> queryChannels, List<Long> keyChannels, int dimension, long seed) {
    head =
        Owned.make(
            "attention",
            () -> Generators.seeded(seed, () -> new Head(queryChannels, keyChannels, dimension)));
  }

  /** {@return the channels of the layers that ask, or of those that are asked} */
  List<Long> channels(boolean ofQueries) {
    Head layers = head.get();
    return (ofQueries ? layers.queries : layers.keys)
        .stream().map(layer -> layer.weight.size(1)).toList();
  }

  /**
   * Attends.
   *
   * @param queries maps [B, C, H, W] of any channels and sizes, in the type of the weights
   * @param keys the same of the other network
   * @return [B, queries, keys], a distribution over the keys
   */
  Tensor forward(List<Tensor> queries, List<Tensor> keys) {
    Head layers = head.get();
    Tensor q = each(layers.queries, queries);
    Tensor k = torch.relu(each(layers.keys, keys));
    long batch = q.size(0);
    long dimension = q.size(2);
    Tensor projected =
        layers
            .bilinear
            .forward(k.reshape(batch * keys.size(), dimension))
            .view(batch, keys.size(), queries.size(), dimension)
            .transpose(1, 2);
    Tensor products = projected.mul(q.unsqueeze(2)).sum(-1);
    Tensor places = layers.queryPositions.mm(layers.keyPositions.t());
    return products.add(places).div(new Scalar(Math.sqrt(dimension))).softmax(2);
  }

  private static Tensor each(List<NormalizedLinear> layers, List<Tensor> maps) {
    TensorVector rows = new TensorVector();
    for (int i = 0; i < maps.size(); i++) {
      rows.push_back(layers.get(i).forward(maps.get(i).mean(2, 3)));
    }
    return torch.stack(rows, 1);
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
