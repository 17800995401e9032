package org.structkd.cli;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TappedNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.train.DistillationMethod;
import org.structkd.train.Distiller;
import org.structkd.train.TrainingConfig;

/**
 * Time of a training step and of its parts, in CPU time of the one thread that computes.
 *
 * @param name of the method
 * @param stepMillis the whole step
 * @param teacherMillis the teacher's outputs
 * @param termsMillis values and gradients of the distillation terms; each kernel computes both when
 *     the term is evaluated, backward only multiplies
 */
record StepCost(String name, double stepMillis, double teacherMillis, double termsMillis) {
  /** Methods take turns, so that a change of the machine's clock meets all of them. */
  private static final int ROUNDS = 9;

  private static final int STEPS_PER_ROUND = 10;
  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  /** Share of the distillation terms in the step. */
  double share() {
    return termsMillis / stepMillis;
  }

  /** Measures all methods; the student alone comes first. */
  static List<StepCost> measure(
      FashionScenes scenes,
      SegmentationNet teacher,
      Results.Settings settings,
      Map<String, Double> weights)
      throws IOException {
    Map<String, Objective> objectives = new LinkedHashMap<>();
    objectives.put(ResultsRun.ALONE, DistillationMethod.supervised());
    for (DistillationMethod method : DistillationMethod.values()) {
      Map<String, Double> own = ResultsRun.weightsOf(method, weights);
      objectives.put(method.toString(), method.objective(own, STEPS_PER_ROUND));
    }
    BatchSource batches = SceneBatches.of(scenes, settings.batch());
    Map<String, List<StepCost>> rounds = new LinkedHashMap<>();
    for (int round = 0; round < ROUNDS; round++) {
      for (Map.Entry<String, Objective> entry : objectives.entrySet()) {
        StepCost cost = of(entry.getKey(), entry.getValue(), teacher, settings, batches);
        rounds.computeIfAbsent(entry.getKey(), name -> new ArrayList<>()).add(cost);
      }
    }
    return rounds.values().stream().map(StepCost::median).toList();
  }

  /** Of some steps of a new student. */
  private static StepCost of(
      String name,
      Objective objective,
      SegmentationNet teacher,
      Results.Settings settings,
      BatchSource batches)
      throws IOException {
    Stopwatch teacherTime = new Stopwatch();
    Stopwatch termsTime = new Stopwatch();
    Stopwatch stepTime = new Stopwatch();
    TrainingConfig config = TrainingConfig.of(STEPS_PER_ROUND, settings.learningRate());
    Distiller distiller = new Distiller(config, clocked(objective, termsTime), batches);
    if (!objective.taps().teacher().isEmpty()) {
      distiller.withTeacher(clocked(teacher, teacherTime));
    }
    try (PointerScope scope = new PointerScope()) {
      SegmentationNet student = ResultsRun.newStudent(settings, 1);
      long start = CLOCK.getCurrentThreadCpuTime();
      distiller.train(student);
      stepTime.nanos = CLOCK.getCurrentThreadCpuTime() - start;
    }
    return new StepCost(
        name, stepTime.millisPerStep(), teacherTime.millisPerStep(), termsTime.millisPerStep());
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

    double millisPerStep() {
      return nanos / 1e6 / STEPS_PER_ROUND;
    }
  }

  private static Objective clocked(Objective objective, Stopwatch watch) {
    List<WeightedTerm> terms = new ArrayList<>();
    for (WeightedTerm term : objective.terms()) {
      boolean readsTeacher = !term.term().taps().teacher().isEmpty();
      terms.add(
          readsTeacher
              ? new WeightedTerm(term.name(), term.weight(), clocked(term.term(), watch))
              : term);
    }
    return new Objective(terms);
  }

  private static Term clocked(Term term, Stopwatch watch) {
    Loss timed =
        new Loss() {
          @Override
          public Tensor forward(LossInputs inputs) {
            return watch.time(() -> term.loss().forward(inputs));
          }

          @Override
          public Needs needs() {
            return term.loss().needs();
          }
        };
    return new Term(
        timed, term.studentTaps(), term.teacherTaps(), term.resizesTeacher(), term.ignoreIndex());
  }

  private static TappedNetwork clocked(TappedNetwork network, Stopwatch watch) {
    return new TappedNetwork() {
      @Override
      public Set<String> taps() {
        return network.taps();
      }

      @Override
      public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
        return watch.time(() -> network.infer(inputs));
      }

      @Override
      public void to(Device device) {
        network.to(device);
      }
    };
  }

  private static StepCost median(List<StepCost> rounds) {
    return new StepCost(
        rounds.get(0).name,
        median(rounds.stream().mapToDouble(StepCost::stepMillis).toArray()),
        median(rounds.stream().mapToDouble(StepCost::teacherMillis).toArray()),
        median(rounds.stream().mapToDouble(StepCost::termsMillis).toArray()));
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}
