package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Named;

/**
 * What a loss gets in one step. The tensors stay the caller's; losses neither close nor change
 * them.
 *
 * @param student outputs of the student by role
 * @param teacher outputs of the teacher by role, constant for every loss
 * @param targets targets of the batch by name
 * @param inputs inputs of the batch by name
 * @param ignoreIndex the label of positions that take no part (so does -1); empty: all do
 * @param step counted from 0; with the seed of a loss it determines what that loss draws
 * @param part what the loss trains or keeps; null where it has none
 * @param shared the batch of which these outputs are a share; null where they are the whole batch,
 *     or a loss shall take them for it
 */
public record LossInputs(
    Map<String, Tensor> student,
    Map<String, Tensor> teacher,
    Map<String, Tensor> targets,
    Map<String, Tensor> inputs,
    OptionalLong ignoreIndex,
    long step,
    @Nullable TrainedPart part,
    @Nullable SharedBatch shared) {
  /** The target that tells the true class of each position. */
  public static final String LABELS = "labels";

  /** Copies the maps. */
  public LossInputs {
    student = Map.copyOf(student);
    teacher = Map.copyOf(teacher);
    targets = Map.copyOf(targets);
    inputs = Map.copyOf(inputs);
    if (step < 0) {
      throw new IllegalArgumentException("step is " + step + ", expected at least 0");
    }
  }

  /** Outputs of a whole batch. */
  public LossInputs(
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      Map<String, Tensor> targets,
      Map<String, Tensor> inputs,
      OptionalLong ignoreIndex,
      long step,
      @Nullable TrainedPart part) {
    this(student, teacher, targets, inputs, ignoreIndex, step, part, null);
  }

  /**
   * {@return the student's output in a role}
   *
   * @param role which
   * @throws IllegalArgumentException naming the known roles, if there is none of this name
   */
  public Tensor student(String role) {
    return Named.in(student, "student", "output", role);
  }

  /**
   * {@return the teacher's output in a role}
   *
   * @param role which
   * @throws IllegalArgumentException naming the known roles, if there is none of this name
   */
  public Tensor teacher(String role) {
    return Named.in(teacher, "teacher", "output", role);
  }

  /**
   * {@return the student's outputs in a role that a list of layers plays, in their order}
   *
   * @param role which, without the number of a layer
   * @throws IllegalArgumentException naming the known roles, if the first layer, or one between two
   *     others, is missing
   */
  public List<Tensor> studentLayers(String role) {
    return layers(student, "student", role);
  }

  /**
   * {@return the teacher's outputs in a role that a list of layers plays, in their order}
   *
   * @param role which, without the number of a layer
   * @throws IllegalArgumentException as for the student
   */
  public List<Tensor> teacherLayers(String role) {
    return layers(teacher, "teacher", role);
  }

  private static List<Tensor> layers(Map<String, Tensor> outputs, String network, String role) {
    long count =
        outputs.keySet().stream().filter(name -> name.matches("\\Q" + role + "\\E\\.\\d+")).count();
    List<Tensor> layers = new ArrayList<>();
    for (int layer = 0; layer < Math.max(1, count); layer++) {
      layers.add(Named.in(outputs, network, "output", role + "." + layer));
    }
    return layers;
  }

  /**
   * {@return a target of the batch}
   *
   * @param name which
   * @throws IllegalArgumentException naming the known targets, if there is none of this name
   */
  public Tensor target(String name) {
    return Named.in(targets, "batch", "target", name);
  }

  /**
   * {@return an input of the batch}
   *
   * @param name which
   * @throws IllegalArgumentException naming the known inputs, if there is none of this name
   */
  public Tensor input(String name) {
    return Named.in(inputs, "batch", "input", name);
  }
}
