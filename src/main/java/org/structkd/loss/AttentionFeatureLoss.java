package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Attention-based feature matching (AFD): compares every layer of the student with every layer of
 * the teacher, and an attention between the layers learns which pairs count.
 *
 * <pre>{@code
 * L     = sum_q mean_b sum_k a_bqk mean_x (phi_s - phi_t)^2      s, t: the layers q and k
 * phi_t = normalize(flatten(mean_c f_t^2))
 * phi_s = normalize(flatten(the student's mean_c f_s^2, averaged to the size of t))
 * }</pre>
 *
 * <p>The attention a is a softmax over the keys k. In AFD the teacher's layers ask and the
 * student's are keys. As representative teacher keys (RTK), the student's layers ask, and of the
 * teacher's only the most attended are kept, whose attention is scaled to the sum 1. RTK has no
 * public code and no equation that could be read: that reading is ours.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; a sum over the layers that ask, a mean over positions.
 *   <li><b>Gradient:</b> to the student only, through its maps and the attention, and to the layers
 *       of the attention; which keys are kept is constant.
 *   <li><b>Threads:</b> immutable, may be shared; an attention serves one training.
 * </ul>
 *
 * <p>Source: M. Ji et al., "Show, Attend and Distill: Knowledge Distillation via Attention-based
 * Feature Matching", AAAI 2021, arXiv 2102.02973; code clovaai/attention-feature-distillation
 * dd990d0. Weight there: 200. J. Yang et al., "Representative Teacher Keys for Knowledge
 * Distillation Model Compression Based on Attention Mechanism for Image Classification", arXiv
 * 2206.12788.
 *
 * @param qkDim numbers of a query and of a key, at least 1: 128 in AFD
 * @param queryFrom whose layers ask
 * @param keep how many keys each query keeps, those of the largest attention, of equal ones the
 *     lowest layer; 0: all
 * @param threshold keys of no more attention than this are left out, but never the largest, at
 *     least 0 and less than 1; 0: none
 */
public record AttentionFeatureLoss(int qkDim, Query queryFrom, int keep, double threshold)
    implements Loss {
  private static final String NAME = "attention feature loss";

  /** The role of its outputs: a list of layers of each network. */
  public static final String FEATURES = "features";

  /** Whose layers ask; those of the other network are the keys. */
  public enum Query {
    /** The teacher's layers ask, as in AFD. */
    TEACHER,
    /** The student's layers ask. */
    STUDENT
  }

  /** Checks the settings. */
  public AttentionFeatureLoss {
    Settings.requireGiven(NAME, "queryFrom", queryFrom);
    Settings.requireCount(NAME, "qkDim", qkDim, 1);
    if (keep < 0) {
      throw new IllegalArgumentException(
          NAME + ": keep is " + keep + ", expected a number of layers, or 0 for all");
    }
    if (!(threshold >= 0 && threshold < 1)) { // also refuses NaN
      throw new IllegalArgumentException(
          NAME + ": threshold is " + threshold + ", expected at least 0 and less than 1");
    }
  }

  /** {@return AFD as released: the teacher asks, 128 numbers, every key counts} */
  public static AttentionFeatureLoss standard() {
    return new AttentionFeatureLoss(128, Query.TEACHER, 0, 0);
  }

  /**
   * {@return representative teacher keys, our reading: the student asks, and the two teacher layers
   * that it attends to most are kept}
   */
  public static AttentionFeatureLoss topTeacherKeys() {
    return new AttentionFeatureLoss(128, Query.STUDENT, 2, 0);
  }

  /**
   * {@return representative teacher keys, our reading: the student asks, and teacher layers of more
   * than a quarter of its attention are kept}
   */
  public static AttentionFeatureLoss teacherKeysAboveThreshold() {
    return new AttentionFeatureLoss(128, Query.STUDENT, 0, 0.25);
  }

  /** {@inheritDoc} Queries and keys have batch normalisation. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.several(FEATURES, 4), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    Maps maps = maps(dryRun);
    return Optional.of(
        new LayerAttention(channels(queries(maps)), channels(keys(maps)), qkDim, seed));
  }

  /**
   * Computes the loss.
   *
   * @param inputs layers [B, C, H, W] of both networks, B at least 2, of any channels and sizes,
   *     and the attention as the part
   * @return scalar, f64 if the attention is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if there is no attention or one of other channels, layers
   *     differ in batch or device, the batch is a single image, of which normalisation has no
   *     statistics, or more keys should be kept than there are
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          if (!(inputs.part() instanceof LayerAttention attention)) {
            throw new IllegalArgumentException(
                NAME + ": it has no attention: make one by trainedPart()");
          }
          Maps given = maps(inputs);
          requireFit(attention, given);
          ScalarType type = attention.module().parameters().get(0).scalar_type().intern();
          Maps maps =
              new Maps(
                  given.student.stream().map(map -> map.to(type)).toList(),
                  given.teacher.stream().map(map -> map.detach().to(type)).toList());
          Tensor weights = representative(attention.forward(queries(maps), keys(maps)));
          return weights.mul(distances(maps)).sum(1, 2).mean();
        });
  }

  /** The layers of both networks. */
  private record Maps(List<Tensor> student, List<Tensor> teacher) {}

  private List<Tensor> queries(Maps maps) {
    return queryFrom == Query.TEACHER ? maps.teacher : maps.student;
  }

  private List<Tensor> keys(Maps maps) {
    return queryFrom == Query.TEACHER ? maps.student : maps.teacher;
  }

  private static List<Long> channels(List<Tensor> maps) {
    return maps.stream().map(map -> map.size(1)).toList();
  }

  private Maps maps(LossInputs inputs) {
    List<Tensor> student = checked("student", inputs.studentLayers(FEATURES));
    List<Tensor> teacher = checked("teacher", inputs.teacherLayers(FEATURES));
    requireTogether("student", student.get(0), "teacher", teacher.get(0));
    if (student.get(0).size(0) == 1) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("student " + FEATURES + ".0", student.get(0))
              + " is a batch of one, of which the attention's batch normalisation has no"
              + " statistics: use a batch of 2 or more");
    }
    Maps maps = new Maps(student, teacher);
    int keys = keys(maps).size();
    if (keep > keys) {
      throw new IllegalArgumentException(
          NAME
              + ": keep is "
              + keep
              + ", but there "
              + (keys == 1 ? "is 1 layer" : "are " + keys + " layers")
              + " to keep keys of: wire more, or keep at most "
              + keys);
    }
    return maps;
  }

  private static List<Tensor> checked(String network, List<Tensor> layers) {
    for (int layer = 0; layer < layers.size(); layer++) {
      String name = network + " " + FEATURES + "." + layer;
      MapView.of(NAME, name, layers.get(layer), MapView.Accepts.MAPS);
      requireTogether(network, layers.get(0), name, layers.get(layer));
    }
    return layers;
  }

  private static void requireTogether(String one, Tensor first, String name, Tensor other) {
    TensorArguments.requireSameDevice(NAME, one + " " + FEATURES + ".0", first, name, other);
    if (first.size(0) != other.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe(one + " " + FEATURES + ".0", first)
              + " and "
              + TensorArguments.describe(name, other)
              + " differ in batch size");
    }
  }

  private void requireFit(LayerAttention attention, Maps maps) {
    for (boolean asking : new boolean[] {true, false}) {
      List<Long> made = attention.channels(asking);
      List<Long> given = channels(asking ? queries(maps) : keys(maps));
      if (!made.equals(given)) {
        boolean student = asking == (queryFrom == Query.STUDENT);
        throw new IllegalArgumentException(
            "%s: the %s's layers have the channels %s, but the attention was made for %s"
                .formatted(NAME, student ? "student" : "teacher", given, made));
      }
    }
  }

  /** The attention to the keys that are kept, scaled to the sum 1. */
  private Tensor representative(Tensor attention) {
    if (keep == 0 && threshold == 0) {
      return attention;
    }
    long keys = attention.size(2);
    Tensor order =
        attention.detach().sort(new BoolOptional(true), 2, true).get1(); // stable: lowest first
    Tensor kept =
        torch
            .zeros_like(attention)
            .scatter_(2, order.narrow(2, 0, keep == 0 ? keys : keep), new Scalar(1));
    if (threshold > 0) {
      Tensor above = attention.detach().gt(new Scalar(threshold)).to(attention.scalar_type());
      kept = kept.mul(above.scatter_(2, order.narrow(2, 0, 1), new Scalar(1)));
    }
    Tensor some = attention.mul(kept.detach());
    return some.div(some.sum(new long[] {2}, true, new ScalarTypeOptional()));
  }

  /** How far apart the layers of each pair are, [B, queries, keys]. */
  private Tensor distances(Maps maps) {
    List<Tensor> student = maps.student.stream().map(AttentionFeatureLoss::energy).toList();
    List<Tensor> teacher = maps.teacher.stream().map(AttentionFeatureLoss::energy).toList();
    boolean teacherAsks = queryFrom == Query.TEACHER;
    TensorVector rows = new TensorVector();
    for (Tensor query : teacherAsks ? teacher : student) {
      List<Tensor> row = new ArrayList<>();
      for (Tensor key : teacherAsks ? student : teacher) {
        row.add(teacherAsks ? distance(key, query) : distance(query, key));
      }
      rows.push_back(torch.stack(new TensorVector(row.toArray(new Tensor[0])), 1));
    }
    return torch.stack(rows, 1);
  }

  /** mean_c f^2 as [B, 1, H, W]. */
  private static Tensor energy(Tensor map) {
    return map.square().mean(1).unsqueeze(1);
  }

  private static Tensor distance(Tensor student, Tensor teacher) {
    Tensor sized = torch.adaptive_avg_pool2d(student, teacher.size(2), teacher.size(3));
    return Rows.mean(direction(sized).sub(direction(teacher)).square());
  }

  private static Tensor direction(Tensor energy) {
    return Rows.unit(energy.flatten(1, -1));
  }
}
