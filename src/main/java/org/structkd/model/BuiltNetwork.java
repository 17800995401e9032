package org.structkd.model;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Generators;
import org.structkd.internal.Named;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * What the networks that this library makes have in common: a kind, a shape that their files tell,
 * and layers that they own until they are closed or collected.
 *
 * @param <C> the shape, a record of numbers
 * @param <L> the layers
 */
abstract class BuiltNetwork<C extends Record, L extends BuiltNetwork.Layout>
    implements TrainableNetwork {
  /** Layers, and how they follow each other. */
  interface Layout {
    /** {@return what owns the layers} */
    Module module();

    /**
     * {@return a tensor for each tap}
     *
     * @param inputs what the network accepted
     */
    Map<String, Tensor> forward(Map<String, Tensor> inputs);

    /** {@return those that can be quantised, in the order in which they compute} */
    default List<ConvolutionLayer> convolutions() {
      return List.of();
    }
  }

  /** Layers that follow each other in stages. */
  interface Staged extends Layout {
    /**
     * {@return a tensor for each tap}
     *
     * @param inputs what the network accepted
     * @param stages computes them
     */
    Map<String, Tensor> forward(Map<String, Tensor> inputs, Stages stages);

    @Override
    default Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      return forward(inputs, Stages.KEPT);
    }
  }

  private final String kind;
  private final C config;
  private final Owned<L> layers;

  /**
   * Makes layers with random weights.
   *
   * @param kind what files and refusals call such a network
   * @param config its shape
   * @param layers makes them
   * @param seed of the weights. LibTorch's generator is left as it was
   */
  BuiltNetwork(String kind, C config, Supplier<L> layers, long seed) {
    this.kind = kind;
    this.config = config;
    this.layers = Owned.make(kind, () -> Generators.seeded(seed, layers::get));
  }

  /**
   * {@return the layers}
   *
   * @throws IllegalStateException if the network has been closed
   */
  final L layers() {
    return layers.get();
  }

  /** {@return the shape} */
  public C config() {
    return config;
  }

  @Override
  public Map<String, String> shape() {
    return NetworkFile.properties(kind, config);
  }

  /**
   * Refuses inputs that do not fit.
   *
   * @throws IllegalArgumentException if one is missing or does not fit
   */
  abstract void require(Map<String, Tensor> inputs);

  @Override
  public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
    require(inputs);
    return Scopes.resultsOf(() -> layers.get().forward(inputs));
  }

  @Override
  public boolean hasStages() {
    return layers.get() instanceof Staged;
  }

  @Override
  public Map<String, Tensor> forward(Map<String, Tensor> inputs, Recomputation stages) {
    require(inputs);
    return layers.get() instanceof Staged staged
        ? Scopes.resultsOf(() -> staged.forward(inputs, stages))
        : forward(inputs);
  }

  /**
   * {@return an input of the network's own type}
   *
   * @param inputs what the network was given
   * @param name of the input
   * @param expected its shape in words, such as "[B, 3, H, W]"
   * @param shape of it: a size that is 0 or below may be any multiple of its opposite
   */
  final Tensor input(Map<String, Tensor> inputs, String name, String expected, long... shape) {
    Tensor input = Named.in(inputs, "what the network was given", "input", name);
    TensorArguments.requireOpen(kind, name, input);
    boolean fits = input.dim() == shape.length;
    for (int i = 0; fits && i < shape.length; i++) {
      fits = shape[i] > 0 ? input.size(i) == shape[i] : input.size(i) % Math.max(-shape[i], 1) == 0;
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "%s: %s are %s, expected %s"
              .formatted(kind, name, Arrays.toString(input.shape()), expected));
    }
    ScalarType type = module().parameters().get(0).scalar_type().intern();
    if (input.scalar_type().intern() != type) {
      throw new IllegalArgumentException(
          ("%s: %s are %s, expected %s as the network's parameters: convert them with to(...),"
                  + " bytes to 0 .. 1")
              .formatted(kind, name, input.scalar_type().intern(), type));
    }
    return input;
  }

  /** Refuses images that are not [B, channels, H, W] of the network's own type. */
  final void requireImages(Map<String, Tensor> inputs, int channels) {
    input(inputs, IMAGES, "[B, %d, H, W]".formatted(channels), 0, channels, 0, 0);
  }

  /** Refuses images that are not so either, or whose height or width is no multiple of a stride. */
  final void requireImages(Map<String, Tensor> inputs, int channels, int stride) {
    String expected = "[B, %d, H, W] with H and W multiples of %d".formatted(channels, stride);
    input(inputs, IMAGES, expected, 0, channels, -stride, -stride);
  }

  @Override
  public List<ConvolutionLayer> convolutions() {
    return layers.get().convolutions();
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the network has been closed
   */
  @Override
  public Module module() {
    return layers.get().module();
  }

  @Override
  public void close() {
    layers.close();
  }
}
