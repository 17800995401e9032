package org.structkd.loss;

import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;

/**
 * Ensemble loss: pulls the student's distribution over classes towards the mean of several
 * teachers' distributions.
 *
 * <pre>{@code
 * L = temperature^2 / M sum over M positions of KL(q, p), or of the cross-entropy -sum_k q_k log p_k
 * q = sum_t w_t softmax(z_t / temperature), sum_t w_t = 1      p = softmax(z_S / temperature)
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in nats; KL is at least 0, cross-entropy at least the entropy of q.
 *   <li><b>Gradient:</b> temperature (p - q) / M in either form, to the student only.
 *   <li><b>Masks:</b> positions without a label take no part, and M counts the others.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: the mean of probabilities as soft target: G. Hinton et al., "Distilling the Knowledge
 * in a Neural Network", 2015, arXiv 1503.02531, section 3.
 *
 * @param form what is compared
 * @param temperature of all distributions, greater than 0
 * @param weights of the teachers in their order, at least 0, scaled to the sum 1; empty: equal ones
 */
public record EnsembleLoss(Form form, double temperature, List<Double> weights)
    implements CountingLoss {
  private static final String NAME = "ensemble loss";

  /** The role of the student's output. */
  public static final String LOGITS = "logits";

  /** The role of the teachers' outputs, a list: {@code NAME.logits} of each teacher. */
  public static final String TEACHERS = "teachers";

  /** What is compared. */
  public enum Form {
    /** Kullback-Leibler divergence of the student's distribution from the teachers'. */
    KL,
    /** Cross-entropy with the teachers' distribution as soft labels. */
    CROSS_ENTROPY
  }

  /** Checks the settings. */
  public EnsembleLoss {
    Settings.requireGiven(NAME, "form", form);
    Settings.requireGiven(NAME, "weights", weights);
    Settings.requirePositive(NAME, "temperature", temperature);
    weights = List.copyOf(weights);
    boolean possible =
        weights.stream().allMatch(weight -> weight >= 0 && weight < Double.POSITIVE_INFINITY);
    if (!possible || (!weights.isEmpty() && sum(weights) == 0)) {
      throw new IllegalArgumentException(
          NAME
              + ": weights is "
              + weights
              + ", expected finite numbers of at least 0, of which one is greater");
    }
  }

  private static double sum(List<Double> weights) {
    return weights.stream().mapToDouble(weight -> weight).sum();
  }

  /** {@return KL to the equal mean of all teachers' probabilities, temperature 1} */
  public static EnsembleLoss meanOfProbabilities() {
    return new EnsembleLoss(Form.KL, 1, List.of());
  }

  /** {@return cross-entropy with that mean as soft labels} */
  public static EnsembleLoss softLabels() {
    return new EnsembleLoss(Form.CROSS_ENTROPY, 1, List.of());
  }

  @Override
  public Needs needs() {
    return new Needs(
        List.of(Needs.Role.of(LOGITS, 2, 3, 4)),
        List.of(Needs.Role.several(TEACHERS, 2, 3, 4)),
        Set.of(),
        Set.of(),
        true);
  }

  /**
   * {@inheritDoc} Positions are counted, those with a label where an ignore index is given.
   *
   * @param inputs logits [B, K, H, W], tokens [B, N, K] or vectors [B, K] of the student and of
   *     each teacher
   * @return loss (f64 if any of them is, else f32) and count; in the caller's PointerScope
   * @throws IllegalArgumentException if logits differ in shape or device, have one class, or there
   *     are not as many weights as teachers
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    List<Tensor> teachers = inputs.teacherLayers(TEACHERS);
    if (!weights.isEmpty() && weights.size() != teachers.size()) {
      throw new IllegalArgumentException(
          NAME
              + ": weights has "
              + weights.size()
              + " numbers, but there "
              + (teachers.size() == 1 ? "is 1 teacher" : "are " + teachers.size() + " teachers"));
    }
    MapView student = MapView.of(NAME, "student", inputs.student(LOGITS), MapView.Accepts.VECTORS);
    ConstantLoss.refuseOneClass(student);
    boolean isDouble = isDouble(student.map());
    for (Tensor teacher : teachers) {
      MapPair.of(NAME, student.given(), teacher, MapView.Accepts.VECTORS)
          .requireSameChannels()
          .requireSameSize();
      isDouble |= isDouble(teacher);
    }
    ScalarType type = isDouble ? ScalarType.Double : ScalarType.Float;
    Tensor logP = logProbabilities(student.map(), type);
    Tensor logQ = meanOf(teachers, type);
    Tensor q = logQ.exp();
    Tensor perPosition = (form == Form.KL ? q.mul(logQ.sub(logP)) : q.mul(logP).neg()).sum(1);
    return mean(perPosition, student, inputs);
  }

  private static boolean isDouble(Tensor logits) {
    return logits.scalar_type().intern() == ScalarType.Double;
  }

  private Tensor logProbabilities(Tensor map, ScalarType type) {
    return map.to(type).div(new Scalar(temperature)).log_softmax(1);
  }

  /** log of the weighted mean of probabilities, of which none underflows on the way. */
  private Tensor meanOf(List<Tensor> teachers, ScalarType type) {
    TensorVector weighted = new TensorVector();
    for (int i = 0; i < teachers.size(); i++) {
      double share = weights.isEmpty() ? 1.0 / teachers.size() : weights.get(i) / sum(weights);
      if (share > 0) {
        Tensor map =
            MapView.of(NAME, "teacher", teachers.get(i), MapView.Accepts.VECTORS).map().detach();
        weighted.push_back(logProbabilities(map, type).add(new Scalar(Math.log(share))));
      }
    }
    return torch.stack(weighted, 0).logsumexp(0);
  }

  private LossValue mean(Tensor perPosition, MapView student, LossInputs inputs) {
    Scalar factor = new Scalar(temperature * temperature);
    OptionalLong ignored = inputs.ignoreIndex();
    if (ignored.isEmpty()) {
      return new LossValue(
          Rows.meanOfAll(perPosition).mul(factor), Tensor.create(new long[] {perPosition.numel()}));
    }
    Labels labels = Labels.of(student, inputs.target(LossInputs.LABELS), ignored.getAsLong());
    Tensor valid = labels.valid();
    Tensor count = valid.sum();
    Tensor sum = Rows.sumOfAll(perPosition.masked_fill(valid.logical_not(), new Scalar(0)));
    return new LossValue(
        sum.div(count.clamp_min(new Scalar(1)).to(sum.scalar_type())).mul(factor), count);
  }
}
