package org.structkd.compress;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.TrainableNetwork;

/**
 * The layers of a network that are quantised while it trains. Their state is in the network: the
 * ranges of their inputs are buffers, which its file and checkpoints have. For one thread at a
 * time.
 */
public final class QuantizedLayers implements AutoCloseable {
  private final Quantization settings;
  private final List<ConvolutionLayer> layers;

  /**
   * Finds the layers; changes nothing.
   *
   * @param settings how to quantise
   * @param network whose layers
   * @throws IllegalArgumentException if it has none that can be quantised, or what is excluded is
   *     none
   */
  public QuantizedLayers(Quantization settings, TrainableNetwork network) {
    this.settings = settings;
    Map<String, ConvolutionLayer> all = new LinkedHashMap<>();
    network.convolutions().forEach(layer -> all.put(layer.name() + ".weight", layer));
    if (all.isEmpty()) {
      throw new IllegalArgumentException(
          "quantization: a %s has no layer that can compute with rounded numbers, expected a network"
                  .formatted(network.getClass().getSimpleName())
              + " of such layers, as a SegmentationNet is");
    }
    Excluded.removeFrom("quantization", "weight", all.keySet(), settings.excluded());
    if (all.isEmpty()) {
      throw new IllegalArgumentException(
          "quantization: all layers that can be quantised are excluded");
    }
    layers = List.copyOf(all.values());
  }

  /** {@return the layers, in the order in which they compute} */
  public List<ConvolutionLayer> layers() {
    return layers;
  }

  /** Gives the layers ranges, which have seen nothing, unless they have some. */
  public void addRanges() {
    layers.forEach(ConvolutionLayer::addRange);
  }

  /**
   * Begins the quantised form when it is time. Ranges must have been added.
   *
   * @param step that is next, counted from 0
   */
  public void before(long step) {
    double rate = step >= settings.begin() ? settings.rate() : 0;
    layers.forEach(layer -> layer.observe(rate));
  }

  /** Leaves the ranges as they are from now on. May be called twice. */
  @Override
  public void close() {
    layers.stream().filter(ConvolutionLayer::hasRange).forEach(layer -> layer.observe(0));
  }
}
