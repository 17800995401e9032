package org.structkd.loss;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Distillation experts (DE): small networks learn to guess the teacher's embeddings from the
 * student's, one for each kind of taste, and the student learns with them.
 *
 * <pre>{@code
 * L    = mean over lists of sum_n |t_n - sum_m z_nm E_m(s_n)|^2
 * z    = softmax((log(softmax(V t + c) + 1e-10) + Gumbel noise) / tau)
 * tau  = begin (end / begin)^min(1, step / annealing)
 * E_m  = linear, ReLU, linear, with (Cs + Ct) / 2 numbers between them, or Cs / 2 where Cs = Ct
 * }</pre>
 *
 * <p>As tau falls, z picks one expert for each embedding. Noise is drawn by the seed of the experts
 * and the step.
 *
 * <ul>
 *   <li><b>Value:</b> in the square of the teacher's unit, at least 0; a sum over embeddings.
 *   <li><b>Gradient:</b> to the student, the experts and V.
 *   <li><b>Threads:</b> immutable, may be shared; experts serve one training.
 * </ul>
 *
 * <p>Source: S. Kang et al., "DE-RRD: A Knowledge Distillation Framework for Recommender System",
 * CIKM 2020, arXiv 2012.04357; code SeongKu-Kang/DE-RRD_CIKM20. Weight there: 0.01.
 *
 * @param experts how many, 1 or more
 * @param begin temperature at step 0, above 0
 * @param end temperature from step {@code annealing} on, above 0
 * @param annealing steps of the way, 1 or more
 */
public record DistillationExpertsLoss(int experts, double begin, double end, long annealing)
    implements Loss {
  private static final String NAME = "distillation experts loss";

  /** The role of its outputs: lists of embeddings [N, C] that share the experts. */
  public static final String EMBEDDING = "embedding";

  /** Checks the numbers. */
  public DistillationExpertsLoss {
    Settings.requireCount(NAME, "experts", experts, 1);
    Settings.requirePositive(NAME, "begin", begin);
    Settings.requirePositive(NAME, "end", end);
    Settings.requireCount(NAME, "annealing", annealing, 1);
  }

  /** {@return 30 experts, from 1 to 1e-10 as published; over 10,000 steps} */
  public static DistillationExpertsLoss released() {
    return new DistillationExpertsLoss(30, 1, 1e-10, 10_000);
  }

  /** {@inheritDoc} What is drawn depends on an example's place in its batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    Needs.Role lists = Needs.Role.several(EMBEDDING, 2);
    return new Needs(List.of(lists), List.of(lists), Set.of(), Set.of(), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    List<Tensor> students = dryRun.studentLayers(EMBEDDING);
    List<Tensor> teachers = dryRun.teacherLayers(EMBEDDING);
    requireLists(students, teachers);
    Tensor student = students.get(0);
    Tensor teacher = teachers.get(0);
    int in = (int) student.size(1);
    int out = (int) teacher.size(1);
    int hidden = Math.max(1, in == out ? in / 2 : (in + out) / 2);
    return Optional.of(new ExpertPart(List.of(""), experts, in, hidden, out, seed));
  }

  private static void requireLists(List<Tensor> students, List<Tensor> teachers) {
    if (students.size() != teachers.size()) {
      throw new IllegalArgumentException(
          "%s: the student has %d lists of embeddings and the teacher %d, expected as many"
              .formatted(NAME, students.size(), teachers.size()));
    }
    for (int list = 0; list < students.size(); list++) {
      MapPair.of(NAME, students.get(list), teachers.get(list), MapView.Accepts.VECTORS)
          .requireRank(2, "[embeddings, channels]");
    }
  }

  /**
   * Computes the student's loss.
   *
   * @param inputs lists of embeddings of both networks, and the experts as the part
   * @return scalar in the type of the experts; in the caller's PointerScope
   * @throws IllegalArgumentException if lists do not fit together, or there are no experts
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          ExpertPart part = ExpertPart.of(NAME, inputs);
          Experts layers = part.set(0);
          ScalarType type = layers.type();
          Draws draws = part.draws(inputs.step());
          List<Tensor> students = inputs.studentLayers(EMBEDDING);
          List<Tensor> teachers = inputs.teacherLayers(EMBEDDING);
          requireLists(students, teachers);
          TensorVector errors = new TensorVector();
          for (int list = 0; list < students.size(); list++) {
            Tensor student = students.get(list);
            Tensor teacher = teachers.get(list);
            requireChannels("student", student, layers.in());
            requireChannels("teacher", teacher, layers.out());
            errors.push_back(
                layers.error(
                    student.to(type),
                    teacher.detach().to(type),
                    temperature(inputs.step()),
                    draws,
                    list));
          }
          return torch.stack(errors, 0).mean();
        });
  }

  private static void requireChannels(String network, Tensor embeddings, long expected) {
    if (embeddings.size(1) != expected) {
      throw new IllegalArgumentException(
          "%s: the %s's embeddings have %d channels, expected %d, for which the experts were made"
              .formatted(NAME, network, embeddings.size(1), expected));
    }
  }

  private double temperature(long step) {
    return begin * Math.pow(end / begin, Math.min(1, (double) step / annealing));
  }
}
