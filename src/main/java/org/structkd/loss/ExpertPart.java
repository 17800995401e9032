package org.structkd.loss;

import java.util.List;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.structkd.internal.Draws;
import org.structkd.internal.Generators;
import org.structkd.internal.Owned;

/** Sets of experts that learn with a student, and the seed of their noise. */
final class ExpertPart implements TrainedPart {
  private final long seed;
  private final Owned<Made> owned;

  /** Layers, and the module that owns them. */
  private record Made(Module module, List<Experts> sets) {}

  /**
   * Experts with random weights.
   *
   * @param prefixes of the parameters' names, one for each set
   * @param count of experts in a set
   * @param in channels of the student's embeddings
   * @param hidden numbers between the two layers of an expert
   * @param out channels of the teacher's embeddings
   * @param seed of weights and noise
   */
  ExpertPart(List<String> prefixes, int count, int in, int hidden, int out, long seed) {
    this.seed = seed;
    owned =
        Owned.make(
            "experts",
            () ->
                Generators.seeded(
                    seed,
                    () -> {
                      Module module = new ModuleDictImpl();
                      return new Made(
                          module,
                          prefixes.stream()
                              .map(name -> new Experts(module, name, count, in, hidden, out))
                              .toList());
                    }));
  }

  /**
   * The part of a step.
   *
   * @throws IllegalArgumentException if it has none
   */
  static ExpertPart of(String loss, LossInputs inputs) {
    if (inputs.part() instanceof ExpertPart part) {
      return part;
    }
    throw new IllegalArgumentException(loss + ": it has no experts: make them by trainedPart()");
  }

  /** The set of a prefix, by its place. */
  Experts set(int place) {
    return owned.get().sets().get(place);
  }

  Draws draws(long step) {
    return new Draws(seed, step);
  }

  @Override
  public Module module() {
    return owned.get().module();
  }

  @Override
  public void close() {
    owned.close();
  }
}
