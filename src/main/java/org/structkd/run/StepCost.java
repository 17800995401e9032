package org.structkd.run;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.Batch;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.LossValue;
import org.structkd.loss.Needs;
import org.structkd.loss.TrainedPart;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.recipe.Experiment;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingListener;

/**
 * Time of a training step and of its parts, in CPU time of the one thread that computes.
 *
 * @param name of the condition
 * @param stepMillis the whole step
 * @param teacherMillis the teachers' outputs
 * @param termsMillis values and gradients of the terms that read a teacher; each kernel computes
 *     both when the term is evaluated, backward only multiplies
 */
record StepCost(String name, double stepMillis, double teacherMillis, double termsMillis) {
  /** Conditions take turns, so that a change of the machine's clock meets all of them. */
  private static final int ROUNDS = 9;

  /** Steps of a round: fewer than there are between evaluations, unless a recipe asks for more. */
  private static final int STEPS = 8;

  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  /** {@return the share of the distillation terms in the step} */
  double share() {
    return termsMillis / stepMillis;
  }

  /**
   * Measures the last stage of each on the CPU with one thread; the number of threads is afterwards
   * what it was.
   *
   * @param scratch file for checkpoints that nobody reads; it is gone afterwards
   */
  static List<StepCost> measure(List<Condition> conditions, Path scratch) throws IOException {
    int threads = torch.get_num_threads();
    torch.set_num_threads(1);
    try {
      Map<String, List<StepCost>> rounds = new LinkedHashMap<>();
      for (int round = 0; round < ROUNDS; round++) {
        for (Condition condition : conditions) {
          rounds
              .computeIfAbsent(condition.name(), name -> new ArrayList<>())
              .add(of(condition, scratch));
        }
      }
      return rounds.values().stream().map(StepCost::median).toList();
    } finally {
      torch.set_num_threads(threads);
    }
  }

  /** Measures some steps of a new student, which has all channels that its stages may remove. */
  private static StepCost of(Condition condition, Path scratch) throws IOException {
    Condition.Stage stage = condition.stages().get(condition.stages().size() - 1);
    Experiment experiment = stage.experiment();
    Stopwatch terms = new Stopwatch();
    StepClock steps = new StepClock(terms);
    try (TrainableNetwork student = experiment.student(1)) {
      experiment
          .distiller(clocked(stage.objective(), terms), 1)
          .withListener(steps)
          .withStop(steps.stop)
          .withCheckpoint(scratch)
          .train(student);
    } finally {
      Files.deleteIfExists(scratch);
    }
    boolean taught = !stage.objective().taps().teacher().isEmpty();
    return new StepCost(
        condition.name(),
        steps.millisPerStep(),
        taught ? teacherMillis(experiment) : 0,
        terms.nanos / 1e6 / steps.counted);
  }

  private static double teacherMillis(Experiment experiment) throws IOException {
    int size = experiment.recipe().data().batch();
    Stopwatch watch = new Stopwatch();
    try (PointerScope temporaries = new PointerScope()) {
      Batch batch = experiment.data().training(size).prepare(0).tensors();
      for (int i = 0; i < STEPS; i++) {
        for (TappedNetwork teacher : experiment.teachers().values()) {
          watch.time(() -> teacher.infer(batch.inputs()));
        }
      }
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) { // whatever a source throws
      throw new IOException("no batch to measure the teacher with: " + e.getMessage(), e);
    }
    return watch.nanos / 1e6 / STEPS;
  }

  /** Adds up CPU time of this thread. */
  private static final class Stopwatch {
    private long nanos;

    <T> T time(Supplier<T> work) {
      long start = CLOCK.getCurrentThreadCpuTime();
      T result = work.get();
      nanos += CLOCK.getCurrentThreadCpuTime() - start;
      return result;
    }
  }

  /** Times the steps between the first, which warms up, and the last of a round, which stops it. */
  private static final class StepClock implements TrainingListener {
    private final StopSignal stop = new StopSignal();
    private final Stopwatch terms;
    private long start;
    private long nanos;
    private long counted;

    StepClock(Stopwatch terms) {
      this.terms = terms;
    }

    @Override
    public void onStep(StepLoss loss, double learningRate) {
      if (loss.step() == 0) {
        terms.nanos = 0;
        start = CLOCK.getCurrentThreadCpuTime();
      } else {
        nanos = CLOCK.getCurrentThreadCpuTime() - start;
        counted = loss.step();
      }
      if (loss.step() == STEPS) {
        stop.request();
      }
    }

    double millisPerStep() {
      return nanos / 1e6 / counted;
    }
  }

  private static Objective clocked(Objective objective, Stopwatch watch) {
    List<WeightedTerm> terms = new ArrayList<>();
    for (WeightedTerm weighted : objective.terms()) {
      Term term = weighted.term();
      terms.add(
          term.taps().teacher().isEmpty()
              ? weighted
              : new WeightedTerm(
                  weighted.name(),
                  weighted.weight(),
                  new Term(
                      new Clocked(term.loss(), watch),
                      term.studentTaps(),
                      term.teacherTaps(),
                      term.resizesTeacher(),
                      term.ignoreIndex())));
    }
    return new Objective(terms);
  }

  /** A loss whose evaluation is timed. */
  private record Clocked(Loss loss, Stopwatch watch) implements Loss {
    @Override
    public Tensor forward(LossInputs inputs) {
      return watch.time(() -> loss.forward(inputs));
    }

    @Override
    public LossValue measure(LossInputs inputs) {
      return watch.time(() -> loss.measure(inputs));
    }

    @Override
    public Needs needs() {
      return loss.needs();
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      return loss.trainedPart(dryRun, seed);
    }
  }

  private static StepCost median(List<StepCost> rounds) {
    return new StepCost(
        rounds.get(0).name,
        median(rounds, StepCost::stepMillis),
        median(rounds, StepCost::teacherMillis),
        median(rounds, StepCost::termsMillis));
  }

  private static double median(List<StepCost> rounds, ToDoubleFunction<StepCost> number) {
    double[] values = rounds.stream().mapToDouble(number).sorted().toArray();
    return values[values.length / 2];
  }
}
