package org.structkd.compress;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Scopes;
import org.structkd.model.ChannelGroup;
import org.structkd.model.ShrinkableNetwork;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;

/**
 * Which weights or channels of a network are pruned, while it trains. The network's own weights
 * hold the zeros, so that its file is that of a sparse network; the masks are state of the
 * training. It owns them until it is closed. For one thread at a time.
 */
public final class PruningMasks implements AutoCloseable {
  private final Pruning settings;

  /** By the name of the weight or the group of channels. */
  private final Map<String, Masked> all = new LinkedHashMap<>();

  /**
   * Elements of which some are pruned: the numbers of a weight, or the channels of a group.
   *
   * @param mask 1 where an element is kept, 0 where it is pruned; of the weights' type and device
   * @param ranked what tells how much an element is worth; the first dimensions of all are the
   *     mask's
   * @param zeroed what is 0 where an element is pruned, in the same way
   */
  private record Masked(Tensor mask, List<Tensor> ranked, List<Tensor> zeroed) {
    Tensor pruned() {
      return mask.eq(new Scalar(0));
    }

    /** L2 norm of each element, and less than any where it is pruned: an unlucky 0 goes later. */
    Tensor magnitudes() {
      TensorVector columns = new TensorVector();
      ranked.forEach(weight -> columns.push_back(weight.reshape(mask.numel(), -1)));
      Tensor rows = torch.cat(columns, 1);
      Tensor norms = rows.size(1) == 1 ? rows.abs().view(-1) : rows.square().sum(1).sqrt();
      return norms.masked_fill(pruned().view(-1), new Scalar(-1));
    }

    /** Filled, as an infinite weight times 0 would be NaN. */
    void apply() {
      for (Tensor weight : zeroed) {
        long[] shape = Arrays.copyOf(mask.shape(), (int) weight.dim());
        Arrays.fill(shape, (int) mask.dim(), shape.length, 1);
        weight.masked_fill_(pruned().view(shape), new Scalar(0));
      }
    }

    /** {@return the same, whatever scope is open, with the memory that the weights have} */
    Masked kept() {
      return new Masked(Scopes.unscoped(mask::clone), kept(ranked), kept(zeroed));
    }

    private static List<Tensor> kept(List<Tensor> weights) {
      return weights.stream().map(weight -> Scopes.unscoped(weight::detach)).toList();
    }

    void close() {
      mask.close();
      ranked.forEach(Tensor::close);
      zeroed.forEach(Tensor::close);
    }
  }

  /**
   * Masks before the first step.
   *
   * @param settings how to prune
   * @param network whose weights
   * @throws IllegalArgumentException if nothing can be pruned, or what is excluded is no weight, or
   *     no group of channels
   */
  public PruningMasks(Pruning settings, TrainableNetwork network) {
    this.settings = settings;
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      Map<String, Tensor> parameters = new TreeMap<>(StateDict.parametersOf(network.module()));
      Map<String, Masked> found =
          settings instanceof Pruning.Channels channels
              ? channels(channels, network, parameters)
              : weights(settings, parameters);
      found.forEach((name, masked) -> all.put(name, masked.kept()));
    }
  }

  private static Map<String, Masked> weights(Pruning settings, Map<String, Tensor> parameters) {
    parameters.values().removeIf(weight -> weight.dim() < 2);
    Excluded.removeFrom("pruning", "weight", parameters.keySet(), settings.excluded());
    if (parameters.isEmpty()) {
      throw new IllegalArgumentException(
          "pruning: the network has no weight of two or more dimensions that is not excluded");
    }
    Map<String, Masked> weights = new LinkedHashMap<>();
    parameters.forEach(
        (name, weight) -> {
          Tensor mask =
              settings instanceof Pruning.Kept
                  ? weight.detach().ne(new Scalar(0)).to(weight.dtype())
                  : torch.ones_like(weight.detach());
          weights.put(name, new Masked(mask, List.of(weight), List.of(weight)));
        });
    return weights;
  }

  private static Map<String, Masked> channels(
      Pruning.Channels settings, TrainableNetwork network, Map<String, Tensor> parameters) {
    if (!(network instanceof ShrinkableNetwork shrinkable)) {
      throw new IllegalArgumentException(
          ("pruning: channels cannot be removed from a %s, expected a network that says which can, as"
                  + " a SegmentationNet does; kind: magnitude prunes the weights of any")
              .formatted(network.getClass().getSimpleName()));
    }
    Map<String, ChannelGroup> groups = new TreeMap<>();
    shrinkable.channelGroups().forEach(group -> groups.put(group.name(), group));
    Excluded.removeFrom("pruning", "group of channels", groups.keySet(), settings.excluded());
    int most = groups.values().stream().mapToInt(ChannelGroup::channels).max().orElse(0);
    if (pruned(settings.target(), most) == 0) {
      throw new IllegalArgumentException(
          "pruning: a target of %s leaves all channels, since the largest group has %s of them"
              .formatted(settings.target(), most));
    }
    Map<String, Masked> channels = new LinkedHashMap<>();
    groups.forEach(
        (name, group) -> {
          List<Tensor> made =
              group.producers().stream()
                  .filter(parameters::containsKey) // the others are statistics
                  .map(parameters::get)
                  .toList();
          List<Tensor> filters = made.stream().filter(weight -> weight.dim() > 1).toList();
          List<Tensor> zeroed = new ArrayList<>(made);
          for (ChannelGroup.Reader reader : group.readers()) {
            // What reads zeros is not worth anything, but would count in the norms of filters.
            Tensor columns = parameters.get(reader.weight()).detach().transpose(0, 1);
            zeroed.add(columns.narrow(0, reader.offset(), group.channels()));
          }
          Tensor mask = torch.ones(new long[] {group.channels()}, filters.get(0).options());
          channels.put(name, new Masked(mask, filters, zeroed));
        });
    return channels;
  }

  /** How many of some elements a share is: one stays, so that no layer is without a channel. */
  private static long pruned(double share, long elements) {
    return Math.min(Math.round(share * elements), Math.max(0, elements - 1));
  }

  /**
   * Prunes what is due and sets all that is pruned to 0.
   *
   * @param steps that are done, this one counted
   */
  public void after(long steps) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      settings
          .dueAfter(steps)
          .ifPresent(
              share -> {
                if (settings instanceof Pruning.Magnitude magnitude
                    && magnitude.range() == Pruning.Magnitude.Range.NETWORK) {
                  prune(List.copyOf(all.values()), share);
                } else {
                  all.values().forEach(masked -> prune(List.of(masked), share));
                }
              });
      apply();
    }
  }

  /** Sets all that is pruned to 0, wherever it comes from. */
  public void apply() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      all.values().forEach(Masked::apply);
    }
  }

  /** Prunes the least of some elements together; of equal ones the first goes. */
  private static void prune(List<Masked> together, double share) {
    TensorVector magnitudes = new TensorVector();
    together.forEach(masked -> magnitudes.push_back(masked.magnitudes()));
    Tensor ranked = torch.cat(magnitudes, 0);
    Tensor order = ranked.sort(new BoolOptional(true), 0, false).get1();
    Tensor mask = torch.ones_like(ranked);
    mask.index_fill_(0, order.narrow(0, 0, pruned(share, ranked.numel())), new Scalar(0));
    long start = 0;
    for (Masked masked : together) {
      Tensor own = masked.mask();
      own.copy_(mask.narrow(0, start, own.numel()).view(own.shape()));
      start += own.numel();
    }
  }

  /**
   * {@return the share of the weights or channels that is pruned, 0 to 1; those that are excluded
   * not counted}
   */
  public double sparsity() {
    try (PointerScope temporaries = new PointerScope()) {
      double pruned = 0;
      double elements = 0;
      for (Masked masked : all.values()) {
        elements += masked.mask().numel();
        pruned += masked.pruned().sum().item_long();
      }
      return pruned / elements;
    }
  }

  private Map<String, Tensor> masks() {
    Map<String, Tensor> masks = new LinkedHashMap<>();
    all.forEach((name, masked) -> masks.put(name, masked.mask()));
    return masks;
  }

  /**
   * Adds all masks to a file.
   *
   * @param prefix what names in the file begin with
   * @param file to add to
   */
  public void save(String prefix, TensorFile.Builder file) {
    StateDict.save(masks(), prefix, file);
  }

  /**
   * Checks that a file has all masks.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if it has not; nothing has changed
   */
  public void requireFit(String prefix, TensorFile file) throws IOException {
    StateDict.requireFit(masks(), prefix, file);
  }

  /**
   * Takes the masks out of a file.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if one is missing or does not fit, or the file cannot be read
   */
  public void restore(String prefix, TensorFile file) throws IOException {
    StateDict.restore(masks(), prefix, file);
  }

  /** Releases the masks. May be called twice. */
  @Override
  public void close() {
    all.values().forEach(Masked::close);
  }
}
