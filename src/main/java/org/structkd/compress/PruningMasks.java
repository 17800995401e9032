package org.structkd.compress;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Scopes;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * Which weights of a network are pruned, while it trains. The network's own weights hold the zeros,
 * so that its file is that of a sparse network; the masks are state of the training. It owns them
 * until it is closed. For one thread at a time.
 */
public final class PruningMasks implements AutoCloseable {
  private final Pruning settings;
  private final Map<String, Tensor> weights = new LinkedHashMap<>();

  /** 1 where a weight is kept, 0 where it is pruned; of the weight's type and device. */
  private final Map<String, Tensor> masks = new LinkedHashMap<>();

  /**
   * Masks before the first step.
   *
   * @param settings how to prune
   * @param module whose weights
   * @throws IllegalArgumentException if nothing can be pruned, or what is excluded is no weight
   */
  public PruningMasks(Pruning settings, Module module) {
    this.settings = settings;
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      Map<String, Tensor> all = new TreeMap<>(StateDict.parametersOf(module));
      all.values().removeIf(weight -> weight.dim() < 2);
      Excluded.removeFrom("pruning", all.keySet(), settings.excluded());
      if (all.isEmpty()) {
        throw new IllegalArgumentException(
            "pruning: the network has no weight of two or more dimensions that is not excluded");
      }
      all.forEach(
          (name, weight) -> {
            weights.put(name, Scopes.unscoped(weight::detach)); // the same memory
            Tensor kept =
                settings instanceof Pruning.Kept
                    ? weight.detach().ne(new Scalar(0)).to(weight.dtype())
                    : torch.ones_like(weight.detach());
            masks.put(name, Scopes.unscoped(kept::clone));
          });
    }
  }

  /**
   * Prunes what is due and sets all pruned weights to 0.
   *
   * @param steps that are done, this one counted
   */
  public void after(long steps) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      OptionalDouble share = settings.dueAfter(steps);
      if (share.isPresent() && settings instanceof Pruning.Magnitude magnitude) {
        groups(magnitude.range()).forEach(names -> prune(names, share.getAsDouble()));
      }
      apply();
    }
  }

  /** Sets all pruned weights to 0, wherever they come from. */
  public void apply() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      // Filled, as an infinite weight times 0 would be NaN.
      masks.forEach(
          (name, mask) -> weights.get(name).masked_fill_(mask.eq(new Scalar(0)), new Scalar(0)));
    }
  }

  private List<List<String>> groups(Pruning.Magnitude.Range range) {
    List<String> names = List.copyOf(masks.keySet());
    return switch (range) {
      case TENSOR -> names.stream().map(List::of).toList();
      case NETWORK -> List.of(names);
    };
  }

  /** Pruned ones are the smallest, as they are 0; of equal ones the first goes. */
  private void prune(List<String> names, double share) {
    TensorVector magnitudes = new TensorVector();
    for (String name : names) {
      Tensor kept = weights.get(name).mul(masks.get(name)).abs().flatten();
      // Below every magnitude, so that an unlucky weight of 0 does not take the place of one.
      magnitudes.push_back(kept.sub(masks.get(name).flatten().eq(new Scalar(0)).to(kept.dtype())));
    }
    Tensor all = torch.cat(magnitudes, 0);
    Tensor order = all.sort(new BoolOptional(true), 0, false).get1();
    Tensor mask = torch.ones_like(all);
    mask.index_fill_(0, order.narrow(0, 0, Math.round(share * all.numel())), new Scalar(0));
    long start = 0;
    for (String name : names) {
      Tensor own = masks.get(name);
      own.copy_(mask.narrow(0, start, own.numel()).view(own.shape()));
      start += own.numel();
    }
  }

  /**
   * {@return the share of the weights that is pruned, 0 to 1; those that are excluded not counted}
   */
  public double sparsity() {
    try (PointerScope temporaries = new PointerScope()) {
      double pruned = 0;
      double all = 0;
      for (Tensor mask : masks.values()) {
        all += mask.numel();
        pruned += mask.eq(new Scalar(0)).sum().item_long();
      }
      return pruned / all;
    }
  }

  /**
   * Adds all masks to a file.
   *
   * @param prefix what names in the file begin with
   * @param file to add to
   */
  public void save(String prefix, TensorFile.Builder file) {
    StateDict.save(masks, prefix, file);
  }

  /**
   * Checks that a file has all masks.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if it has not; nothing has changed
   */
  public void requireFit(String prefix, TensorFile file) throws IOException {
    StateDict.requireFit(masks, prefix, file);
  }

  /**
   * Takes the masks out of a file.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if one is missing or does not fit, or the file cannot be read
   */
  public void restore(String prefix, TensorFile file) throws IOException {
    StateDict.restore(masks, prefix, file);
  }

  /** Releases the masks. May be called twice. */
  @Override
  public void close() {
    List<Tensor> all = new ArrayList<>(weights.values());
    all.addAll(masks.values());
    all.forEach(Tensor::close);
  }
}
