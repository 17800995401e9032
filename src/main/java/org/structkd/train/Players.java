package org.structkd.train;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.compress.PruningMasks;
import org.structkd.compress.QuantizedLayers;
import org.structkd.internal.ModuleModes;
import org.structkd.loss.TrainedPart;
import org.structkd.metric.Evaluation;
import org.structkd.metric.Score;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.optim.Optimizer;
import org.structkd.optim.RunningOptimizer;
import org.structkd.optim.WeightAverage;

/**
 * All who learn in a training, with their optimizers: the student, the parts of losses that learn
 * with it by its optimizer, and those that learn against it by optimizers of their own. It owns the
 * parts. This is what a checkpoint holds.
 */
final class Players implements AutoCloseable {
  private static final String STUDENT = "student.";

  /** What the names of what a loss trains or keeps begin with, before that of its term. */
  static final String PART = "part.";

  private static final String OPTIMIZER = "optimizer.";
  private static final String AVERAGE = "average.";
  private static final String MASK = "mask.";
  private static final String BEST = "best.";

  private final TrainableNetwork student;
  private final Map<String, TrainedPart> parts;
  private final RunningOptimizer optimizer;
  private final Map<String, RunningOptimizer> opponents = new LinkedHashMap<>();
  private final @Nullable WeightAverage average;
  private final @Nullable PruningMasks masks;
  private final @Nullable QuantizedLayers quantized;
  private final @Nullable BestWeights best;

  /**
   * Players before the first step.
   *
   * @param parts by term, on the student's device; belong to this
   * @param own optimizers of parts that learn against the student, by term; the others of these get
   *     one like the student's
   * @param rateFactors of the student's optimizer, by what names of parameters begin with
   * @throws IllegalArgumentException if an optimizer or a factor belongs to nothing
   */
  Players(
      TrainableNetwork student,
      Map<String, TrainedPart> parts,
      TrainingConfig config,
      Map<String, Optimizer> own,
      Map<String, Double> rateFactors) {
    this.student = student;
    this.parts = parts;
    Map<String, Module> together = new LinkedHashMap<>();
    together.put("", student.module());
    parts.forEach(
        (term, part) -> {
          if (part instanceof TrainedPart.Opponent opponent) {
            Map<String, Module> alone = ofTerm(term, opponent.against());
            Optimizer settings = own.getOrDefault(term, config.optimizer());
            opponents.put(term, new RunningOptimizer(settings, alone, Map.of()));
          }
          together.putAll(ofTerm(term, alongside(part)));
        });
    for (String term : own.keySet()) {
      if (!opponents.containsKey(term)) {
        throw new IllegalArgumentException(
            "there is an optimizer for term \""
                + term
                + "\", which has no part that learns against the student; those that have: "
                + (opponents.isEmpty() ? "none" : String.join(", ", opponents.keySet())));
      }
    }
    optimizer = new RunningOptimizer(config.optimizer(), together, rateFactors);
    average = config.ema() == 0 ? null : new WeightAverage(student.module(), config.ema());
    masks = config.pruning() == null ? null : new PruningMasks(config.pruning(), student);
    quantized =
        config.quantization() == null ? null : new QuantizedLayers(config.quantization(), student);
    best = config.keepBest() ? new BestWeights(student.module()) : null;
  }

  TrainableNetwork student() {
    return student;
  }

  /** Parts of losses by term. */
  Map<String, TrainedPart> parts() {
    return parts;
  }

  /** {@return the optimizer of the student and of the parts that learn with it} */
  RunningOptimizer optimizer() {
    return optimizer;
  }

  /** {@return the optimizers of the parts that learn against the student, by term} */
  Map<String, RunningOptimizer> opponents() {
    return opponents;
  }

  /** What of a part learns with the student, by what the names of its parameters begin with. */
  private static Map<String, Module> alongside(TrainedPart part) {
    return part instanceof TrainedPart.Opponent opponent
        ? opponent.alongside()
        : Map.of("", part.module());
  }

  private static Map<String, Module> ofTerm(String term, Map<String, Module> modules) {
    Map<String, Module> named = new LinkedHashMap<>();
    modules.forEach((prefix, module) -> named.put(PART + term + "." + prefix, module));
    return named;
  }

  /** {@return all parameters that an optimizer moves} */
  List<Tensor> parameters() {
    List<Tensor> all = new ArrayList<>(optimizer.parameters().values());
    opponents.values().forEach(opponent -> all.addAll(opponent.parameters().values()));
    return all;
  }

  /** The student's module, and those of the parts that learn with it. */
  Module[] learningTogether() {
    List<Module> modules = new ArrayList<>(List.of(student.module()));
    parts.values().forEach(part -> modules.addAll(alongside(part).values()));
    return modules.toArray(new Module[0]);
  }

  /** All modules: the student's as "", those of parts by what names of their tensors begin with. */
  Map<String, Module> modules() {
    Map<String, Module> modules = new LinkedHashMap<>();
    modules.put("", student.module());
    parts.forEach((term, part) -> modules.put(PART + term + ".", part.module()));
    return modules;
  }

  /** The student's turn, in which those who learn against it stay as they are. */
  interface Turn extends AutoCloseable {
    @Override
    void close();
  }

  /** {@return a turn, after whose end the opponents can be differentiated again} */
  Turn studentsTurn() {
    List<Tensor> resting = new ArrayList<>();
    for (RunningOptimizer opponent : opponents.values()) {
      for (Tensor parameter : opponent.parameters().values()) {
        if (parameter.requires_grad()) {
          parameter.set_requires_grad(false);
          resting.add(parameter);
        }
      }
    }
    return () -> resting.forEach(parameter -> parameter.set_requires_grad(true));
  }

  /**
   * Moves all by their gradients.
   *
   * @param factor of their rates
   */
  void step(double factor) {
    optimizer.step(factor);
    opponents.values().forEach(opponent -> opponent.step(factor));
  }

  /** Sets all to training, but not what the user froze. */
  void train() {
    modules().values().forEach(ModuleModes::train);
  }

  /** Forgets all gradients. */
  void zeroGrad() {
    modules().values().forEach(module -> module.zero_grad(true));
  }

  /** Gives the student what it keeps of a training beside its weights, before the first step. */
  void prepare() {
    if (quantized != null) {
      quantized.addRanges();
    }
  }

  /** Lets the student round its numbers from the step on from which it shall. */
  void beforeStep(long step) {
    if (quantized != null) {
      quantized.before(step);
    }
  }

  /** Prunes the student after a step, and takes its weights into their average. */
  void afterStep(long step) {
    if (masks != null) {
      masks.after(step + 1);
    }
    if (average != null) {
      average.update(step);
    }
  }

  /** Something to do with a score, while the student has the weights that got it. */
  interface Scored {
    void accept(Score score);
  }

  /** Evaluates the student, or the average of its weights. */
  void evaluate(Evaluation evaluation, Device where, Scored scored) {
    if (average == null) {
      scored.accept(evaluation.of(student, where));
      return;
    }
    try (WeightAverage.Applied meanwhile = average.applied()) {
      prune();
      scored.accept(evaluation.of(student, where));
    }
  }

  /** Keeps the weights that the student has in its best evaluation, if that is asked for. */
  void keepBest() {
    if (best != null) {
      best.take();
    }
  }

  /** {@return whether the best weights are asked for, and not known} */
  boolean lacksBest() {
    return best != null && best.isEmpty();
  }

  /** Ends the training: the student gets its best weights or their average, if there are such. */
  void finish() {
    if (best != null && !best.isEmpty()) {
      best.apply();
    } else if (average != null) {
      average.apply();
      prune();
    }
  }

  /** An average remembers weights from before they were pruned. */
  private void prune() {
    if (masks != null) {
      masks.apply();
    }
  }

  private static String prefix(String name) {
    return name.isEmpty() ? STUDENT : name;
  }

  void save(TensorFile.Builder file) {
    modules().forEach((name, module) -> StateDict.save(module, prefix(name), file));
    optimizer.save(OPTIMIZER, file);
    opponents.values().forEach(opponent -> opponent.save(OPTIMIZER, file));
    if (average != null) {
      average.save(AVERAGE, file);
    }
    if (masks != null) {
      masks.save(MASK, file);
    }
    if (best != null) {
      best.save(BEST, file);
    }
  }

  /** Refuses a weight or buffer that is not finite by an IllegalStateException that names it. */
  void requireFinite() {
    modules().values().forEach(StateDict::requireFinite);
  }

  /**
   * Takes everything out of a checkpoint; nothing has changed if it does not fit.
   *
   * @param partsMayBeNew whether a part that the checkpoint does not have stays as it was made
   * @return the terms of these
   */
  List<String> restore(TensorFile file, boolean partsMayBeNew) throws IOException {
    List<String> newParts = new ArrayList<>();
    Map<String, Module> stored = modules();
    for (String term : parts.keySet()) {
      String prefix = PART + term + ".";
      if (partsMayBeNew && file.names().stream().noneMatch(name -> name.startsWith(prefix))) {
        stored.remove(prefix);
        newParts.add(term);
      }
    }
    for (Map.Entry<String, Module> entry : stored.entrySet()) {
      StateDict.requireFit(entry.getValue(), prefix(entry.getKey()), file);
    }
    optimizer.requireFit(OPTIMIZER, file);
    for (RunningOptimizer opponent : opponents.values()) {
      opponent.requireFit(OPTIMIZER, file);
    }
    if (average != null) {
      average.requireFit(AVERAGE, file);
    }
    if (masks != null) {
      masks.requireFit(MASK, file);
    }
    if (best != null) {
      best.requireFit(BEST, file);
    }
    for (Map.Entry<String, Module> entry : stored.entrySet()) {
      StateDict.restore(entry.getValue(), prefix(entry.getKey()), file);
    }
    optimizer.restore(OPTIMIZER, file);
    for (RunningOptimizer opponent : opponents.values()) {
      opponent.restore(OPTIMIZER, file);
    }
    if (average != null) {
      average.restore(AVERAGE, file);
    }
    if (masks != null) {
      masks.restore(MASK, file);
    }
    if (best != null) {
      best.restore(BEST, file);
    }
    return newParts;
  }

  @Override
  public void close() {
    optimizer.close();
    opponents.values().forEach(RunningOptimizer::close);
    parts.values().forEach(TrainedPart::close);
    if (average != null) {
      average.close();
    }
    if (masks != null) {
      masks.close();
    }
    if (quantized != null) {
      quantized.close();
    }
    if (best != null) {
      best.close();
    }
  }
}
