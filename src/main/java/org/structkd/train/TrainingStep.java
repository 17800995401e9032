package org.structkd.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.distributed.RankFailedException;
import org.structkd.internal.Scopes;
import org.structkd.loss.Loss.OverExamples;
import org.structkd.loss.SharedBatch;
import org.structkd.loss.TrainedPart;
import org.structkd.model.Recomputation;
import org.structkd.model.StateDict;
import org.structkd.objective.DivergedException;
import org.structkd.objective.GradientCheck;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;
import org.structkd.objective.TermValue;
import org.structkd.objective.WeightedTerm;

/**
 * One step of a training: reaches all players whole or none at all. Weights are moved only after
 * the gradients of all were found usable, and buffers, such as the running means that forward
 * itself changes, are put back where a step fails.
 */
final class TrainingStep {
  /** What ranks tell each other of a term: its value, and how much took part. */
  static final int NUMBERS = 2;

  private final Players players;
  private final Teachers teachers;
  private final Objective objective;
  private final TrainingConfig config;
  private final GradientCheck gradients;
  private final Buffers buffers;
  private final Ranks ranks;
  private boolean hasMoved;
  private boolean torn;

  /**
   * Lives in the PointerScope that is open here.
   *
   * @throws IllegalArgumentException if nothing of the student can be trained
   */
  TrainingStep(
      Players players, Teachers teachers, Objective objective, TrainingConfig config, Ranks ranks) {
    this.players = players;
    this.teachers = teachers;
    this.objective = objective;
    this.config = config;
    this.ranks = ranks;
    gradients = new GradientCheck(objective, players.learningTogether());
    requireTrainable();
    buffers = new Buffers(players.modules());
  }

  private void requireTrainable() {
    if (weights().values().stream().noneMatch(Tensor::requires_grad)) {
      throw new IllegalArgumentException(
          "no parameter of the student requires a gradient: nothing would be learned");
    }
  }

  private Map<String, Tensor> weights() {
    return StateDict.parametersOf(players.student().module());
  }

  /**
   * Does the step.
   *
   * @param batches this rank's, on the device of the networks; the step takes their mean
   * @param step counted from 0
   * @return what was minimised, the mean over ranks, in the caller's PointerScope
   * @throws DivergedException if a term, a gradient or a buffer is not finite; all players are as
   *     before
   * @throws IllegalArgumentException if a term refuses its inputs, or no weight moves
   * @throws RankFailedException if another rank could not do this step; all players are as before
   */
  StepLoss take(List<Batch> batches, long step) {
    buffers.remember();
    boolean done = false;
    try {
      players.beforeStep(step);
      players.zeroGrad();
      StepLoss loss = batches.size() == 1 ? learn(batches.get(0), step, 1) : mean(batches, step);
      if (!ranks.isAlone()) {
        loss = joined(loss);
      }
      move(loss);
      done = true;
      return loss;
    } finally {
      if (!done) {
        buffers.putBack();
      }
    }
  }

  /** Joins what all ranks have: gradients, buffers, and the numbers to tell. */
  private StepLoss joined(StepLoss own) {
    double[] numbers = new double[NUMBERS * own.terms().size()];
    for (int i = 0; i < own.terms().size(); i++) {
      TermValue term = own.terms().get(i);
      numbers[NUMBERS * i] = term.value();
      numbers[NUMBERS * i + 1] =
          term.tookPart().isPresent() ? term.tookPart().getAsLong() : Double.NaN;
    }
    double[] means = ranks.agree(numbers);
    ranks.average(players.parameters());
    buffers.join(ranks);
    List<TermValue> terms = new ArrayList<>();
    for (int i = 0; i < own.terms().size(); i++) {
      TermValue term = own.terms().get(i);
      double tookPart = means[NUMBERS * i + 1] * ranks.worldSize();
      terms.add(
          new TermValue(
              term.name(),
              term.weight(),
              means[NUMBERS * i],
              Double.isNaN(tookPart)
                  ? OptionalLong.empty()
                  : OptionalLong.of(Math.round(tookPart))));
    }
    return withTotal(own.step(), terms);
  }

  /** Differentiates what one of several batches gives, and adds it to the gradients. */
  private StepLoss learn(Batch batch, long step, int of) {
    try (Recomputation stages = new Recomputation(players.student())) {
      StepInputs inputs = inputs(batch, step, stages, ranks.isAlone() ? null : ranks);
      StepLoss loss;
      try (Players.Turn turn = players.studentsTurn()) {
        loss = objective.compute(inputs);
        share(loss.total(), of).backward();
        stages.backward();
        gradients.require(step, () -> inputs(batch, step, null)); // again, but by this rank alone
      }
      learnAgainst(inputs, of);
      buffers.requireFinite(step);
      return loss;
    } catch (DivergedException e) {
      throw e.with(stateBefore(batch));
    }
  }

  private static Tensor share(Tensor loss, int of) {
    return of == 1 ? loss : loss.div(new Scalar(of));
  }

  /** Differentiates what the opponents of the student minimise, out of its graph. */
  private void learnAgainst(StepInputs inputs, int of) {
    if (players.opponents().isEmpty()) {
      return;
    }
    Map<String, Tensor> apart = new HashMap<>();
    inputs.student().forEach((tap, output) -> apart.put(tap, output.detach()));
    StepInputs detached =
        new StepInputs(
            apart,
            inputs.teacher(),
            inputs.targets(),
            inputs.inputs(),
            inputs.parts(),
            inputs.step());
    for (WeightedTerm term : objective.terms()) {
      if (players.parts().get(term.name()) instanceof TrainedPart.Opponent opponent) {
        share(opponent.objective(term.inputs(detached)), of).backward();
        GradientCheck.requireOfOpponent(
            term.name(), players.opponents().get(term.name()).parameters(), inputs.step());
      }
    }
  }

  /** Several batches one by one, so that the outputs of one of them are in memory at a time. */
  private StepLoss mean(List<Batch> batches, long step) {
    List<TermValue> sums = new ArrayList<>();
    for (Batch batch : batches) {
      try (PointerScope temporaries = new PointerScope()) {
        List<TermValue> values = learn(batch, step, batches.size()).terms();
        for (int i = 0; i < values.size(); i++) {
          if (sums.size() == i) {
            sums.add(values.get(i));
          } else {
            sums.set(i, sum(sums.get(i), values.get(i)));
          }
        }
      }
    }
    List<TermValue> means =
        sums.stream()
            .map(
                sum ->
                    new TermValue(
                        sum.name(), sum.weight(), sum.value() / batches.size(), sum.tookPart()))
            .toList();
    return withTotal(step, means);
  }

  private static StepLoss withTotal(long step, List<TermValue> terms) {
    double total = terms.stream().mapToDouble(TermValue::weighted).sum();
    return new StepLoss(Scopes.resultOf(() -> torch.tensor(total).squeeze()), step, terms);
  }

  private static TermValue sum(TermValue one, TermValue other) {
    OptionalLong tookPart =
        one.tookPart().isEmpty() || other.tookPart().isEmpty()
            ? OptionalLong.empty()
            : OptionalLong.of(one.tookPart().getAsLong() + other.tookPart().getAsLong());
    return new TermValue(one.name(), one.weight(), one.value() + other.value(), tookPart);
  }

  private void move(StepLoss loss) {
    long step = loss.step();
    if (config.clipNorm() > 0) {
      players.optimizer().clip(config.clipNorm());
    }
    torn = true;
    if (hasMoved) {
      players.step(config.schedule().at(step, config.steps()));
    } else {
      moveForTheFirstTime(loss);
    }
    players.afterStep(step);
    torn = false;
  }

  /** Writes what caches of teachers gathered: the next checkpoint counts on it. */
  void saveTeachers() {
    teachers.save();
  }

  /** {@return what of the objective is not that of one process, in sentences} */
  List<String> warnings() {
    return ranks.isAlone()
        ? List.of()
        : objective.terms().stream()
            .filter(
                term ->
                    term.term().loss().overExamples() == OverExamples.JOINT
                        && !term.term().loss().joinsShares())
            .map(
                term ->
                    ("the loss of term \"%s\" looks at all examples of a batch together: each of %d"
                            + " ranks has that of its own share, which is another loss than one"
                            + " process has (docs/data-parallel.md)")
                        .formatted(term.name(), ranks.worldSize()))
            .toList();
  }

  /** Whether a step failed while it moved the weights: then they are those of no step. */
  boolean isTorn() {
    return torn;
  }

  private StepInputs inputs(
      Batch batch, long step, Recomputation stages, @Nullable SharedBatch shared) {
    return config.recomputeActivations()
        ? inputs(batch, step, stages::forward, shared)
        : inputs(batch, step, shared);
  }

  private StepInputs inputs(Batch batch, long step, @Nullable SharedBatch shared) {
    return inputs(batch, step, players.student()::forward, shared);
  }

  private StepInputs inputs(
      Batch batch,
      long step,
      UnaryOperator<Map<String, Tensor>> student,
      @Nullable SharedBatch shared) {
    Map<String, Tensor> teacherTaps = config.precision().outputs(batch.inputs(), teachers::infer);
    Map<String, Tensor> studentTaps = config.precision().outputs(batch.inputs(), student);
    return new StepInputs(
        studentTaps, teacherTaps, batch.targets(), batch.inputs(), players.parts(), step, shared);
  }

  /**
   * Says that this training has moved weights in an earlier process. A rate that has decayed until
   * it moves none does not end a training that goes through, so it must not end one that continues.
   */
  void hasMovedBefore() {
    hasMoved = true;
  }

  /**
   * Weights and rates can be so small that the student's numbers cannot take in what they change.
   * Weights that are 0 take in anything and prove nothing.
   */
  private void moveForTheFirstTime(StepLoss loss) {
    Map<String, Tensor> weights = weights();
    Map<String, Tensor> before = new LinkedHashMap<>();
    weights.forEach((name, weight) -> before.put(name, weight.detach().clone()));
    double rate = config.rateAt(loss.step());
    players.step(config.schedule().at(loss.step(), config.steps()));
    boolean canTell = false;
    for (Map.Entry<String, Tensor> weight : before.entrySet()) {
      Tensor counts = weight.getValue().ne(new Scalar(0));
      canTell |= counts.any().item_bool();
      Tensor now = weights.get(weight.getKey());
      hasMoved = weight.getValue().ne(now).logical_and(counts).any().item_bool();
      if (hasMoved) {
        return;
      }
    }
    if (canTell && loss.value() != 0) { // a batch without labels may come first
      throw new IllegalArgumentException(
          "step "
              + loss.step()
              + " moved no weight of the student that is not 0: its learning rate is "
              + rate
              + ", the weights of its terms are "
              + loss.terms().stream()
                  .map(term -> term.name() + " " + term.weight())
                  .collect(Collectors.joining(", "))
              + "; raise what is too small for the student's numbers");
    }
  }

  /** What is true where a step ends before the weights were moved. */
  private String stateBefore(Batch batch) {
    String state = "the student is as it was before this step";
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Tensor> input : new TreeMap<>(batch.inputs()).entrySet()) {
        for (long example = 0; example < input.getValue().size(0); example++) {
          if (!isFinite(input.getValue().select(0, example))) {
            return "%s; example %s of the batch's \"%s\" is not finite itself"
                .formatted(state, example, input.getKey());
          }
        }
      }
      for (Map.Entry<String, Tensor> weight : weights().entrySet()) {
        if (!isFinite(weight.getValue())) {
          return state + ", and its \"" + weight.getKey() + "\" was not finite before";
        }
      }
      return state;
    }
  }

  private static boolean isFinite(Tensor tensor) {
    return tensor.isfinite().all().item_bool();
  }
}
