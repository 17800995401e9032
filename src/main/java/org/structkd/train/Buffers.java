package org.structkd.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.structkd.internal.NativeOps;
import org.structkd.model.StateDict;
import org.structkd.objective.DivergedException;

/**
 * The buffers of all players, such as running means and memory banks, which forward changes: as
 * they were before a step, so that one that fails leaves no trace.
 */
final class Buffers {
  private final Map<String, Tensor> now = new LinkedHashMap<>();
  private final Map<String, Tensor> before = new LinkedHashMap<>();
  private final TensorVector all;

  /**
   * Remembers them as they are. Lives in the PointerScope that is open here.
   *
   * @param modules whose, by what names in sentences begin with
   */
  Buffers(Map<String, Module> modules) {
    modules.forEach(
        (prefix, module) ->
            StateDict.buffersOf(module).forEach((name, buffer) -> now.put(prefix + name, buffer)));
    now.forEach((name, buffer) -> before.put(name, buffer.detach().clone()));
    all = new TensorVector(now.values().toArray(new Tensor[0]));
  }

  void remember() {
    copy(now, before);
  }

  void putBack() {
    copy(before, now);
  }

  /**
   * Makes the buffers of all ranks one after a step: the student's statistics move by the mean of
   * what they moved by, memories of losses become the first rank's.
   */
  void join(Ranks ranks) {
    List<Tensor> statistics = new ArrayList<>();
    List<Tensor> statisticsBefore = new ArrayList<>();
    List<Tensor> memories = new ArrayList<>();
    now.forEach(
        (name, buffer) -> {
          if (name.startsWith(Players.PART)) {
            memories.add(buffer);
          } else if (buffer.is_floating_point()) { // not the count of batches
            statistics.add(buffer);
            statisticsBefore.add(before.get(name));
          }
        });
    ranks.averageChanges(statistics, statisticsBefore);
    ranks.copyFromFirst(memories);
  }

  private static void copy(Map<String, Tensor> from, Map<String, Tensor> to) {
    from.forEach((name, buffer) -> to.get(name).copy_(buffer));
  }

  /** A huge input can leave every gradient finite and running statistics not. */
  void requireFinite(long step) {
    if (Double.isFinite(NativeOps.largestValue(all))) {
      return;
    }
    try (PointerScope temporaries = new PointerScope()) {
      now.forEach(
          (name, buffer) -> {
            if (!buffer.isfinite().all().item_bool()) {
              throw DivergedException.ofBuffer(name, step);
            }
          });
    }
  }
}
