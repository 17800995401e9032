package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What a loss of several layers gets, layer by layer. */
final class LayerInputs {
  private LayerInputs() {}

  /**
   * {@return inputs of each layer, whose outputs play the role itself}
   *
   * @param loss how sentences begin
   * @param inputs with {@code ROLE.0}, {@code ROLE.1} ... of both networks
   * @param role of the layers
   * @throws IllegalArgumentException if there is no layer, one between two others is missing, or
   *     the networks differ in their number
   */
  static List<LossInputs> of(String loss, LossInputs inputs, String role) {
    List<Tensor> student = inputs.studentLayers(role);
    List<Tensor> teacher = inputs.teacherLayers(role);
    if (student.size() != teacher.size()) {
      throw new IllegalArgumentException(
          "%s: the student has %d layers in the role \"%s\" and the teacher %d, expected as many"
              .formatted(loss, student.size(), role, teacher.size()));
    }
    List<LossInputs> all = new ArrayList<>();
    for (int i = 0; i < student.size(); i++) {
      all.add(
          new LossInputs(
              Map.of(role, student.get(i)),
              Map.of(role, teacher.get(i)),
              inputs.targets(),
              inputs.inputs(),
              inputs.ignoreIndex(),
              inputs.step(),
              inputs.part(),
              inputs.shared()));
    }
    return all;
  }

  /**
   * {@return the sum of a loss over the layers, and of what took part}
   *
   * @param loss how sentences begin
   * @param inputs with the layers of both networks
   * @param role of the layers
   * @param ofLayer the loss of one layer, whose outputs play the role itself
   * @throws IllegalArgumentException as above
   */
  static LossValue sum(
      String loss, LossInputs inputs, String role, Function<LossInputs, LossValue> ofLayer) {
    @Nullable LossValue sum = null;
    for (LossInputs layer : of(loss, inputs, role)) {
      LossValue one = ofLayer.apply(layer);
      sum =
          sum == null
              ? one
              : new LossValue(sum.loss().add(one.loss()), added(sum.tookPart(), one.tookPart()));
    }
    return sum;
  }

  private static @Nullable Tensor added(@Nullable Tensor one, @Nullable Tensor other) {
    return one == null || other == null ? null : one.add(other);
  }
}
