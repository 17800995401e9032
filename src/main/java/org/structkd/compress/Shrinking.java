package org.structkd.compress;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.model.ChannelGroup;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.ShrinkableNetwork;
import org.structkd.model.StateDict;

/**
 * Makes a network smaller by the channels that are 0 for every input, as {@link Pruning.Channels}
 * leaves them. What is left is a function of the weights alone.
 */
public final class Shrinking {
  private Shrinking() {}

  /**
   * Copies a network without its channels that are 0: those of which all parameters that make them
   * are 0. A group of such channels alone keeps the first.
   *
   * @param network stays as it is
   * @return a network of the same kind with the same outputs but for rounding, since sums have
   *     fewer terms; on the same device and of the same type, in evaluation mode, nothing frozen.
   *     The caller closes it
   */
  public static ShrinkableNetwork shrunk(ShrinkableNetwork network) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      Map<String, Tensor> parameters = StateDict.parametersOf(network.module());
      Map<String, Tensor> tensors = new TreeMap<>(parameters);
      tensors.putAll(StateDict.buffersOf(network.module()));
      Map<String, Integer> channels = new HashMap<>();
      Map<String, boolean[]> read = new TreeMap<>();
      for (ChannelGroup group : network.channelGroups()) {
        boolean[] kept = kept(group, parameters);
        channels.put(group.name(), indices(kept).length);
        group.producers().forEach(name -> tensors.computeIfPresent(name, cut(0, kept)));
        for (ChannelGroup.Reader reader : group.readers()) {
          boolean[] all =
              read.computeIfAbsent(reader.weight(), name -> all((int) tensors.get(name).size(1)));
          System.arraycopy(kept, 0, all, reader.offset(), kept.length);
        }
      }
      read.forEach((name, kept) -> tensors.computeIfPresent(name, cut(1, kept)));
      ShrinkableNetwork small = network.withChannels(channels);
      for (ConvolutionLayer layer : small.convolutions()) {
        if (tensors.containsKey(layer.rangeName())) {
          layer.addRange();
        }
      }
      give(small, tensors);
      small.module().eval();
      return small;
    }
  }

  private static boolean[] all(int channels) {
    boolean[] kept = new boolean[channels];
    Arrays.fill(kept, true);
    return kept;
  }

  private static boolean[] kept(ChannelGroup group, Map<String, Tensor> parameters) {
    boolean[] kept = new boolean[group.channels()];
    for (String producer : group.producers()) {
      if (parameters.containsKey(producer)) { // the others are statistics
        Tensor rows = parameters.get(producer).reshape(kept.length, -1);
        int[] used = new int[kept.length];
        Tensor any = rows.ne(new Scalar(0)).any(1, false).to(ScalarType.Int).cpu().contiguous();
        any.data_ptr_int().get(used);
        IntStream.range(0, used.length).forEach(at -> kept[at] |= used[at] != 0);
      }
    }
    kept[0] |= indices(kept).length == 0;
    return kept;
  }

  private static int[] indices(boolean[] kept) {
    return IntStream.range(0, kept.length).filter(at -> kept[at]).toArray();
  }

  /** What leaves of a tensor the part that is kept along one dimension. */
  private static BiFunction<String, Tensor, Tensor> cut(int dimension, boolean[] kept) {
    Tensor indices = Tensor.create(indices(kept));
    return (name, whole) ->
        whole.index_select(dimension, indices.to(whole.device(), ScalarType.Int));
  }

  private static void give(ShrinkableNetwork small, Map<String, Tensor> tensors) {
    Map<String, Tensor> parameters = StateDict.parametersOf(small.module());
    Map<String, Tensor> own = new TreeMap<>(parameters);
    own.putAll(StateDict.buffersOf(small.module()));
    for (String name : tensors.keySet()) {
      if (!own.containsKey(name)) {
        throw new IllegalStateException("the smaller network has no " + name);
      }
    }
    own.forEach(
        (name, tensor) -> {
          Tensor value = tensors.get(name);
          if (value == null || !Arrays.equals(value.shape(), tensor.shape())) {
            throw new IllegalStateException(
                "%s of the smaller network is %s, but there is %s for it: its groups of channels do"
                        .formatted(
                            name,
                            Arrays.toString(tensor.shape()),
                            value == null ? "nothing" : Arrays.toString(value.shape()))
                    + " not name all that makes or reads them");
          }
          tensor.set_data(value.detach().clone());
        });
  }
}
