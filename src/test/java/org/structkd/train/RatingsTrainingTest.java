package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.data.MadeRatings;
import org.structkd.data.Split;
import org.structkd.loss.RegressionLoss;
import org.structkd.loss.RelationalLoss;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Evaluation;
import org.structkd.metric.RatingMetric;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.AdamW;

/** A training without images: ratings, factors, an error in stars. */
class RatingsTrainingTest {
  private static final MadeRatings RATINGS = new MadeRatings(400, 240, 8);
  private static final Evaluation TEST =
      new DatasetEvaluation(RATINGS, Split.TEST, new RatingMetric(MatrixFactorization.RATING));

  private static MatrixFactorization network(int rank, long seed) {
    return new MatrixFactorization(
        new MatrixFactorization.Config(RATINGS.users(), RATINGS.items(), rank), seed);
  }

  private static Distiller training(Objective objective) {
    return new Distiller(
        TrainingConfig.of(600, 0.01).withOptimizer(new AdamW(0.01, 0.9, 0.999, 1e-8, 0.3, true)),
        objective,
        RATINGS.training(256));
  }

  private static WeightedTerm supervised() {
    return new WeightedTerm(
        "supervised", 1, Term.of(RegressionLoss.toRatings(), MatrixFactorization.RATING));
  }

  private static double rmse(MatrixFactorization network) {
    try (PointerScope scope = new PointerScope()) {
      return TEST.of(network, new Device("cpu")).value("rmse");
    }
  }

  @Test
  void aStudentLearnsRatingsAndRelationsFromATeacher() throws IOException {
    try (MatrixFactorization teacher = network(8, 1);
        MatrixFactorization student = network(3, 2)) {
      double untrained = rmse(teacher);
      training(Objective.of(supervised())).train(teacher);
      assertTrue(rmse(teacher) < 0.9 * untrained, rmse(teacher) + " of " + untrained);
      Objective distilled =
          Objective.of(
              supervised(),
              new WeightedTerm(
                  "ratings", 0.5, Term.of(RegressionLoss.toTeacher(), MatrixFactorization.RATING)),
              new WeightedTerm(
                  "relational",
                  0.1,
                  Term.of(RelationalLoss.standard(), MatrixFactorization.USER_EMBEDDING)));
      training(distilled).withTeacher(teacher).train(student);
      assertTrue(rmse(student) < 0.95 * untrained, rmse(student) + " of " + untrained);
    }
  }

  @Test
  void aFileHoldsTheNetwork() throws IOException {
    try (PointerScope scope = new PointerScope();
        MatrixFactorization one = network(3, 1)) {
      byte[] bytes = one.toFile(Map.of()).toBytes();
      try (TensorFile file = TensorFile.read(new ByteArrayInputStream(bytes), "it");
          MatrixFactorization same = MatrixFactorization.of(file)) {
        assertEquals(one.fingerprint(), same.fingerprint());
      }
    }
  }

  @Test
  void anIndexWithoutARowIsRefused() {
    try (PointerScope scope = new PointerScope();
        MatrixFactorization net = network(3, 1)) {
      Map<String, Tensor> inputs =
          Map.of("users", Tensor.create(new long[] {0, 400}), "items", Tensor.create(new long[2]));
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> net.infer(inputs));
      String sentence =
          "users has index 400, expected 0 to 399: the network was made for other data";
      assertTrue(e.getMessage().endsWith(sentence), e.getMessage());
    }
  }
}
