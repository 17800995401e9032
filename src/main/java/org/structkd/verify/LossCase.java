package org.structkd.verify;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Losses;
import org.structkd.loss.Needs;
import org.structkd.loss.TrainedPart;

/**
 * Runs what most ops are: a loss, and its gradient by the student's inputs.
 *
 * @param golden the case
 * @param loss with the options of the case
 * @param student names of inputs by the role that they play
 * @param teacher the same of the teacher
 * @param targets names of inputs by the target that they are
 */
record LossCase(
    GoldenCase golden,
    Loss loss,
    Map<String, String> student,
    Map<String, String> teacher,
    Map<String, String> targets)
    implements GoldenOp.Computation {

  /** A case of a loss of the list. */
  static LossCase of(GoldenCase golden, Losses.Entry entry) {
    GoldenOptions options = golden.options();
    String student = options.value("student", String.class, "S");
    String teacher = options.value("teacher", String.class, "T");
    Loss bound =
        LossBinding.loss(
            entry, options, loss -> wired(golden, loss, student, teacher).trainsPart());
    options.requireAllRead();
    LossCase wired = wired(golden, bound, student, teacher);
    if (wired.trainsPart()) {
      throw new GoldenOp.SkippedException(
          "the loss trains a part of its own, whose weights are not in golden files");
    }
    return wired;
  }

  private static LossCase wired(GoldenCase golden, Loss loss, String student, String teacher) {
    Needs needs = loss.needs();
    if (!needs.inputs().isEmpty() || needs.student().size() > 1 || needs.teacher().size() > 1) {
      throw new GoldenOp.SkippedException(
          "the loss takes inputs of the networks, or several outputs of one, which golden files do"
              + " not hold");
    }
    GoldenValue inputs = golden.json().get("inputs");
    // Labels are L where they are a map, and y where they are a class for each image.
    String labels = inputs.has("y") ? "y" : "L";
    return new LossCase(
        golden,
        loss,
        names(needs.student(), student, inputs),
        names(needs.teacher(), teacher, inputs),
        needs.targets().stream().collect(Collectors.toMap(name -> name, name -> labels)));
  }

  /** Input S of a role; of a role of several layers, S0, S1 ... */
  private static Map<String, String> names(
      List<Needs.Role> roles, String name, GoldenValue inputs) {
    Map<String, String> names = new TreeMap<>();
    for (Needs.Role role : roles) {
      for (int layer = 0; role.several() && inputs.has(name + layer); layer++) {
        names.put(role.name() + "." + layer, name + layer);
      }
      if (names.isEmpty()) {
        names.put(role.name(), name);
      }
    }
    return names;
  }

  private boolean trainsPart() {
    LossInputs inputs = inputs(Placement.onCpu(ScalarType.Float));
    try (TrainedPart part = loss.trainedPart(inputs, 0).orElse(null)) {
      return part != null;
    } catch (IllegalArgumentException e) {
      throw golden.badInputs(e.getMessage());
    }
  }

  private LossInputs inputs(Placement placement) {
    Map<String, Tensor> leaves = new TreeMap<>();
    student.forEach((role, name) -> leaves.put(role, map(name, placement).requires_grad_()));
    Map<String, Tensor> constants = new TreeMap<>();
    teacher.forEach((role, name) -> constants.put(role, map(name, placement)));
    Map<String, Tensor> labels = new TreeMap<>();
    targets.forEach(
        (target, name) -> {
          GoldenTensor values = golden.input(name);
          labels.put(target, placement.table(Tensor.create(values.integers(), values.shape())));
        });
    return new LossInputs(leaves, constants, labels, Map.of(), OptionalLong.empty(), 0, null);
  }

  private Tensor map(String name, Placement placement) {
    return placement.map(golden.input(name).tensor()).detach();
  }

  @Override
  public GoldenResult compute(Placement placement) {
    LossInputs inputs = inputs(placement);
    Map<String, Tensor> leaves = new TreeMap<>();
    student.forEach((role, name) -> leaves.put(name, inputs.student(role)));
    return GoldenResult.of(loss.forward(inputs), leaves);
  }
}
