package org.structkd.recipe;

import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.structkd.data.Dataset;
import org.structkd.data.Split;
import org.structkd.metric.Evaluation;
import org.structkd.metric.Metric;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.train.Distiller;

/**
 * A recipe with all that it names: data and teachers loaded, losses wired. When it exists, both
 * networks have run on one batch, every term has been computed of their outputs, and the student
 * has been evaluated on one example, so that a training fails by nothing that could have been known
 * before. Writes nothing. Owns the teachers; for one thread at a time.
 */
public final class Experiment implements AutoCloseable {
  private Experiment() {}

  /**
   * Loads and checks everything. Of a recipe with stages see {@link Recipe#trainings}: each is an
   * experiment.
   *
   * @param recipe what to do
   * @param device where networks run
   * @return the experiment
   * @throws RecipeException if parts of the recipe do not fit together or to the networks; names
   *     both
   * @throws IOException if data or a teacher cannot be read
   */
  public static Experiment of(Recipe recipe, Device device) throws IOException {
    throw new UnsupportedOperationException("not written yet");
  }

  /** {@return what is done} */
  public Recipe recipe() {
    throw new UnsupportedOperationException("not written yet");
  }

  /** {@return the examples, drawn by the seed 0} A training draws by its own seed. */
  public Dataset data() {
    throw new UnsupportedOperationException("not written yet");
  }

  /** {@return how students are judged} */
  public Metric metric() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return the teachers by name, on the device, in evaluation mode; the only one is called
   * "teacher"} They are closed with the experiment.
   */
  public Map<String, TappedNetwork> teachers() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return a new student on the device, which the caller closes}
   *
   * @param seed of its weights
   */
  public TrainableNetwork student(long seed) {
    throw new UnsupportedOperationException("not written yet");
  }

  /** {@return all terms of the recipe} */
  public Objective objective() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return the terms that read no teacher, with their full weight at every step: what the same
   * student learns alone; empty if there are none, or the recipe has no teacher}
   */
  public Optional<Objective> alone() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return a training with data, device, teachers (where the objective reads them), optimizers
   * and validation; without checkpoint and listeners}
   *
   * @param objective {@link #objective} or {@link #alone}
   * @param seed of the data's draws and of trained parts
   */
  public Distiller distiller(Objective objective, long seed) {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return the evaluation on a split, always of the same examples}
   *
   * @param split validation or test
   */
  public Evaluation evaluation(Split split) {
    throw new UnsupportedOperationException("not written yet");
  }

  /** Releases the teachers. May be called twice. */
  @Override
  public void close() {}
}
