package com.example.distill;

import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneTensors;
import org.structkd.data.Split;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;

/** The objectives, and the loop that minimises one: what README.md shows. */
final class Training {
  private static final int BATCH = 16;
  private static final double LEARNING_RATE = 0.01;

  private Training() {}

  /** To learn from labels: the teacher, and the student alone. */
  static Objective supervised() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
  }

  /** To learn from labels and from the outputs of a teacher. */
  static Objective distilled() {
    var pixelwise = PixelwiseLoss.kd();
    var pairwise = PairwiseLoss.skdCvpr19();
    var global = GlobalStructuralLoss.standard();
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(255), "upsampled")),
        new WeightedTerm("pixelwise", 5, Term.of(pixelwise, "logits")),
        new WeightedTerm("pairwise", 1, Term.of(pairwise, "features")),
        new WeightedTerm("global_structural", 1, Term.of(global, "features")));
  }

  /**
   * Trains the student.
   *
   * @param teacher gives the teacher's outputs for images; none where the objective reads none
   */
  static void run(
      SegmentationNet student,
      Function<Tensor, Map<String, Tensor>> teacher,
      Objective objective,
      FashionScenes scenes,
      int steps,
      Progress progress) {
    Adam optimizer = new Adam(student.parameters(), new AdamOptions(LEARNING_RATE));
    student.train(true);
    for (int step = 0; step < steps; step++) {
      try (PointerScope temporaries = new PointerScope()) {
        SceneTensors batch = SceneTensors.of(scenes.batch(Split.TRAIN, (long) step * BATCH, BATCH));
        Map<String, Tensor> studentTaps = student.forward(batch.images());
        Map<String, Tensor> teacherTaps = teacher.apply(batch.images());
        StepLoss loss =
            objective.compute(new StepInputs(studentTaps, teacherTaps, batch.labels(), step));
        optimizer.zero_grad();
        loss.total().backward();
        double left = 1 - step / (double) steps; // polynomial decay, power 0.9
        optimizer.param_groups().get(0).options().set_lr(LEARNING_RATE * Math.pow(left, 0.9));
        optimizer.step();
        if (progress.isDue(step + 1)) {
          progress.report(step + 1, losses(loss));
        }
      }
    }
  }

  /** Each term as it enters the sum. */
  private static String losses(StepLoss loss) {
    return loss.terms().stream()
        .map(term -> String.format("%s %.4f", term.name(), term.weighted()))
        .collect(Collectors.joining("  "));
  }
}
