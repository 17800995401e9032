package org.structkd.verify;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
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
 * @param targets the batch's targets that it reads; labels are the input L where they are a map,
 *     and y where they are a class for each image, others have their own name
 * @param batch the batch's inputs that it reads, by their own name
 * @param ignoreIndex the label of positions that take no part
 * @param step of the training
 */
record LossCase(
    GoldenCase golden,
    Loss loss,
    Map<String, String> student,
    Map<String, String> teacher,
    Set<String> targets,
    Set<String> batch,
    OptionalLong ignoreIndex,
    long step)
    implements GoldenOp.Computation {
  private static final String IGNORE_INDEX = "ignore_index";

  /** A case of a loss of the list. */
  static LossCase of(GoldenCase golden, Losses.Entry entry) {
    GoldenOptions options = golden.options();
    String student = options.value("student", String.class, "S");
    String teacher = options.value("teacher", String.class, "T");
    Loss bound =
        LossBinding.loss(
            entry, options, loss -> wired(golden, loss, student, teacher, options).lacksPart());
    LossCase wired = wired(golden, bound, student, teacher, options);
    options.requireAllRead();
    if (wired.lacksPart()) {
      throw new GoldenOp.SkippedException(
          "the loss trains a part of its own, whose parameters the case does not hold");
    }
    return wired;
  }

  private static LossCase wired(
      GoldenCase golden, Loss loss, String student, String teacher, GoldenOptions options) {
    Needs needs = loss.needs();
    GoldenValue inputs = golden.json().get("inputs");
    if (!inputs.members().containsAll(needs.inputs())) {
      throw new GoldenOp.SkippedException(
          "the loss takes inputs of the networks, which the case does not hold: " + needs.inputs());
    }
    OptionalLong ignoreIndex =
        needs.masks() && options.has(IGNORE_INDEX)
            ? OptionalLong.of(options.value(IGNORE_INDEX, long.class, null))
            : OptionalLong.empty();
    Set<String> targets = new TreeSet<>(needs.targets());
    if (ignoreIndex.isPresent()) {
      targets.add(LossInputs.LABELS);
    }
    return new LossCase(
        golden,
        loss,
        names(needs.student(), student, inputs),
        names(needs.teacher(), teacher, inputs),
        targets,
        needs.inputs(),
        ignoreIndex,
        options.value("step", long.class, 0L));
  }

  /**
   * The input of each role: S where there is one role, else S.ROLE; of a role of several layers S0,
   * S1 ... or S.ROLE.0, S.ROLE.1 ..., and S or S.ROLE where it has one layer.
   */
  private static Map<String, String> names(
      List<Needs.Role> roles, String network, GoldenValue inputs) {
    Map<String, String> names = new TreeMap<>();
    for (Needs.Role role : roles) {
      String name = roles.size() == 1 ? network : network + "." + role.name();
      String layers = roles.size() == 1 ? network : name + ".";
      if (!role.several()) {
        names.put(role.name(), name);
      } else if (inputs.has(name)) {
        names.put(role.name() + ".0", name);
        continue;
      }
      for (int layer = 0; role.several() && (layer == 0 || inputs.has(layers + layer)); layer++) {
        names.put(role.name() + "." + layer, layers + layer);
      }
    }
    return names;
  }

  private boolean lacksPart() {
    if (GoldenParameters.in(golden)) {
      return false;
    }
    try (TrainedPart part = part(Placement.onCpu(ScalarType.Float))) {
      return part != null;
    } catch (IllegalArgumentException e) {
      throw golden.badInputs(e.getMessage());
    }
  }

  /** The part that the loss trains or keeps, with the values of the case if it holds any. */
  private @Nullable TrainedPart part(Placement placement) {
    TrainedPart part = loss.trainedPart(inputs(placement, null), 0).orElse(null);
    if (part == null) {
      return null;
    }
    try {
      part.module().to(new Device(placement.device()), placement.dtype(), false);
      if (GoldenParameters.in(golden)) {
        GoldenParameters.of(golden).putInto(part.module());
      }
      return part;
    } catch (RuntimeException e) {
      part.close();
      throw e;
    }
  }

  private LossInputs inputs(Placement placement, @Nullable TrainedPart part) {
    Map<String, Tensor> leaves = new TreeMap<>();
    student.forEach((role, name) -> leaves.put(role, map(name, placement).requires_grad_()));
    Map<String, Tensor> constants = new TreeMap<>();
    teacher.forEach((role, name) -> constants.put(role, map(name, placement)));
    return new LossInputs(
        leaves,
        constants,
        tensors(targets, placement),
        tensors(batch, placement),
        ignoreIndex,
        step,
        part);
  }

  private Map<String, Tensor> tensors(Set<String> wanted, Placement placement) {
    GoldenValue inputs = golden.json().get("inputs");
    Map<String, Tensor> tensors = new TreeMap<>();
    for (String key : wanted) {
      String name = key.equals(LossInputs.LABELS) ? (inputs.has("y") ? "y" : "L") : key;
      GoldenTensor values = golden.input(name);
      boolean whole = !inputs.get(name).json().toString().matches(".*[.abcd].*"); // no formula
      tensors.put(
          key,
          whole
              ? placement.table(Tensor.create(values.integers(), values.shape()))
              : map(name, placement));
    }
    return tensors;
  }

  private Tensor map(String name, Placement placement) {
    return placement.map(golden.input(name).tensor()).detach();
  }

  @Override
  public GoldenResult compute(Placement placement) {
    try (TrainedPart part = part(placement)) {
      LossInputs inputs = inputs(placement, part);
      Map<String, Tensor> leaves = new TreeMap<>();
      student.forEach((role, name) -> leaves.put(name, inputs.student(role)));
      return GoldenResult.of(loss.forward(inputs), leaves);
    }
  }
}
