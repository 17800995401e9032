package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Labels;
import org.structkd.internal.MapView;

/**
 * A loss between one output of the student and one of the teacher, both in the same role.
 *
 * <pre>{@code
 * MapLoss own = (student, teacher) -> student.sub(teacher).square().mean();
 * }</pre>
 */
@FunctionalInterface
public interface MapLoss extends CountingLoss {
  /**
   * Computes the loss of one batch.
   *
   * @param student map [B, C, H, W]; what else it takes, the loss says
   * @param teacher map of the same batch; constant even if it requires grad
   * @return a scalar, attached to the caller's PointerScope
   */
  Tensor forward(Tensor student, Tensor teacher);

  /**
   * The same over the labelled positions: those whose label is the ignore index or -1 take no part
   * and get gradient 0.
   *
   * @param student map
   * @param teacher map
   * @param labels integers [B, H', W'] of any size, resized to the positions that are compared by
   *     the nearest neighbour: position h takes row floor(h H' / H)
   * @param ignoreIndex the label of positions that take no part, usually 255
   * @return a scalar, attached to the caller's PointerScope
   * @throws IllegalArgumentException if this loss has no rule for positions that take no part
   */
  default Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    throw new IllegalArgumentException(
        "this loss has no rule for positions without a label, so it cannot leave out those of the"
            + " ignoreIndex "
            + ignoreIndex);
  }

  /** {@inheritDoc} One role, called "map" unless a loss says otherwise. */
  @Override
  default Needs needs() {
    return Needs.pair(Needs.Role.of("map"), false);
  }

  /**
   * {@inheritDoc} Positions of the student's map are counted, those with a label where an ignore
   * index is given.
   */
  @Override
  default LossValue measure(LossInputs inputs) {
    String role = needs().student().get(0).name();
    Tensor student = inputs.student(role);
    Tensor teacher = inputs.teacher(role);
    if (inputs.ignoreIndex().isEmpty()) {
      return new LossValue(forward(student, teacher), positions(student));
    }
    long label = inputs.ignoreIndex().getAsLong();
    Tensor labels = inputs.target(LossInputs.LABELS);
    Tensor value = forward(student, teacher, labels, label);
    MapView map = MapView.of(role, "student", student, MapView.Accepts.VECTORS);
    return new LossValue(value, Labels.of(map, labels, label).valid().sum());
  }

  /** Counts positions of maps, tokens and vectors; what else a loss may take is not counted. */
  private static @Nullable Tensor positions(Tensor student) {
    if (student.dim() < 2 || student.dim() > 4) {
      return null;
    }
    long channels = student.size(student.dim() == 3 ? 2 : 1);
    return Tensor.create(new long[] {student.numel() / Math.max(1, channels)});
  }
}
