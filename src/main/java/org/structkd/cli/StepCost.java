package org.structkd.cli;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.structkd.data.FashionScenes;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.train.BatchSource;
import org.structkd.train.DistillationMethod;
import org.structkd.train.Distiller;
import org.structkd.train.LearningRate;
import org.structkd.train.TrainingConfig;

/**
 * Time of a training step, in CPU time of the one thread that computes.
 *
 * @param name of the method
 * @param stepMillis the whole step
 * @param teacherMillis the teacher's part of it
 * @param termsMillis what the distillation terms add to that: step - step of the student alone -
 *     teacher
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
      objectives.put(method.label(), method.objective(own, settings.steps()));
    }
    BatchSource batches = BatchSource.of(scenes, settings.batch());
    Map<String, double[]> steps = new LinkedHashMap<>();
    objectives.keySet().forEach(name -> steps.put(name, new double[ROUNDS]));
    double[] teacherSteps = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      for (Map.Entry<String, Objective> entry : objectives.entrySet()) {
        steps.get(entry.getKey())[round] =
            millisPerStep(() -> train(settings, entry.getValue(), teacher, batches));
      }
      teacherSteps[round] = millisPerStep(() -> infer(teacher, batches));
    }
    double alone = median(steps.get(ResultsRun.ALONE));
    double teacherMillis = median(teacherSteps);
    List<StepCost> costs = new ArrayList<>();
    steps.forEach(
        (name, rounds) -> {
          boolean taught = !name.equals(ResultsRun.ALONE);
          double step = median(rounds);
          costs.add(
              new StepCost(
                  name,
                  step,
                  taught ? teacherMillis : 0,
                  taught ? step - alone - teacherMillis : 0));
        });
    return costs;
  }

  private interface Work {
    void run() throws IOException;
  }

  private static double millisPerStep(Work work) throws IOException {
    long start = CLOCK.getCurrentThreadCpuTime();
    work.run();
    return (CLOCK.getCurrentThreadCpuTime() - start) / 1e6 / STEPS_PER_ROUND;
  }

  private static void train(
      Results.Settings settings, Objective objective, SegmentationNet teacher, BatchSource batches)
      throws IOException {
    try (PointerScope scope = new PointerScope()) {
      TrainingConfig config =
          new TrainingConfig(STEPS_PER_ROUND, LearningRate.poly(settings.learningRate()), 0, 0);
      Distiller distiller = new Distiller(config, objective, batches);
      if (!objective.taps().teacher().isEmpty()) {
        distiller.withTeacher(teacher);
      }
      distiller.train(ResultsRun.newStudent(settings, 1));
    }
  }

  private static void infer(SegmentationNet teacher, BatchSource batches) {
    for (int step = 0; step < STEPS_PER_ROUND; step++) {
      try (PointerScope temporaries = new PointerScope()) {
        teacher.infer(batches.prepare(step).tensors().images());
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
