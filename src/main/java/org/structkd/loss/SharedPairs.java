package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.loss.PairwiseLoss.EpsMode;
import org.structkd.loss.PairwiseLoss.NormGradient;
import org.structkd.loss.PairwiseLoss.Reduction;

/**
 * The pair-wise loss between all nodes of a batch that several ranks share: its sum over pairs is
 * told by three matrices of channels, and those of the batch are the sums of those of the shares.
 *
 * <pre>{@code
 * sum over ij of w_i w_j (A_S[i,j] - A_T[i,j])^2 = |P_SS|^2 - 2 |P_ST|^2 + |P_TT|^2
 * P_XY = sum over i of w_i x_i y_i'     x_i, y_i: unit vectors of node i
 * }</pre>
 *
 * It is composed in f64, since three large norms cancel: O(N (Cs + Ct)) of memory for a share of N
 * nodes, and one sum of (Cs + Ct)^2 numbers at most between the ranks.
 */
final class SharedPairs {
  private SharedPairs() {}

  /**
   * {@return the loss of the whole batch, with a count of this rank's nodes that take part}
   *
   * @param nodes of this rank's share
   * @param inputs which share of a batch the nodes are of, and their labels
   */
  static LossValue measure(PairwiseLoss loss, MapPair nodes, LossInputs inputs) {
    Tensor weights =
        inputs.ignoreIndex().isEmpty()
            ? null
            : Labels.of(
                    nodes.student(),
                    inputs.target(LossInputs.LABELS),
                    inputs.ignoreIndex().getAsLong())
                .valid();
    Tensor value = Scopes.resultOf(() -> loss(loss, nodes, weights, inputs.shared()));
    Tensor map = nodes.student().map();
    return new LossValue(
        value,
        weights == null ? Tensor.create(new long[] {map.numel() / map.size(1)}) : weights.sum());
  }

  /**
   * {@return the loss of the whole batch}
   *
   * @param nodes of this rank's share
   * @param weights of the nodes [B, 1, H, W] or [B, H, W]; null: all 1
   */
  private static Tensor loss(
      PairwiseLoss loss, MapPair nodes, @Nullable Tensor weights, SharedBatch shared) {
    Tensor map = nodes.student().map();
    boolean isDouble = map.scalar_type().intern() == ScalarType.Double;
    Tensor student = rows(map);
    Tensor teacher = rows(nodes.teacher().map().detach());
    Tensor w =
        weights == null
            ? torch.ones_like(student.select(1, 0)).detach()
            : weights.reshape(-1).to(ScalarType.Double);
    Tensor s = weighted(student, w, loss);
    Tensor t = weighted(teacher, w, loss);
    Tensor own =
        torch.cat(
            new TensorVector(
                s.t().mm(s).flatten(),
                s.t().mm(t).flatten(),
                t.t().mm(t).flatten(),
                w.sum().reshape(1)));
    Tensor all = shared.sum(own);
    long ss = s.size(1) * s.size(1);
    long st = s.size(1) * t.size(1);
    long tt = t.size(1) * t.size(1);
    Tensor sum =
        squared(all.narrow(0, 0, ss))
            .sub(squared(all.narrow(0, ss, st)).mul(new Scalar(2)))
            .add(squared(all.narrow(0, ss + st, tt)))
            .clamp_min(new Scalar(0));
    Tensor count = all.narrow(0, ss + st + tt, 1).squeeze().detach();
    Tensor value =
        loss.reduction() == Reduction.SUM
            ? sum
            : sum.div(count.square().clamp_min(new Scalar(Double.MIN_NORMAL)));
    return isDouble ? value : value.to(ScalarType.Float);
  }

  /** Nodes as rows [B H W, C]. */
  private static Tensor rows(Tensor map) {
    return map.permute(0, 2, 3, 1).reshape(-1, map.size(1)).to(ScalarType.Double);
  }

  /**
   * Unit rows times the root of their weights; rows that take no part, or have no length, are 0.
   */
  private static Tensor weighted(Tensor rows, Tensor weights, PairwiseLoss loss) {
    Scalar zero = new Scalar(0);
    Tensor none = weights.le(zero).unsqueeze(1);
    Tensor clean = rows.masked_fill(none, zero);
    Tensor length = Rows.lengths(clean).unsqueeze(1);
    if (loss.norm() == NormGradient.DETACHED) {
      length = length.detach();
    }
    Tensor tooShort = length.le(new Scalar(loss.eps()));
    Tensor guarded = loss.epsMode() == EpsMode.ADD ? length.add(new Scalar(loss.eps())) : length;
    return clean
        .div(guarded.masked_fill(tooShort, new Scalar(1)))
        .masked_fill(tooShort, zero)
        .mul(weights.clamp_min(zero).sqrt().unsqueeze(1));
  }

  private static Tensor squared(Tensor values) {
    return Rows.sum(values.square());
  }
}
