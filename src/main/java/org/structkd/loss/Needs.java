package org.structkd.loss;

import java.util.List;
import java.util.Set;

/**
 * What a loss reads in a step. A training is checked against it before its first step, and the docs
 * show it.
 *
 * @param student roles that outputs of the student play
 * @param teacher roles that outputs of the teacher play
 * @param targets names of the batch's targets that it reads, such as {@code labels}
 * @param inputs names of the batch's inputs that it reads, such as {@code images}
 * @param masks whether it has a rule for positions that take no part: {@link
 *     LossInputs#ignoreIndex}
 */
public record Needs(
    List<Role> student,
    List<Role> teacher,
    Set<String> targets,
    Set<String> inputs,
    boolean masks) {
  /** Nothing is known, as of a lambda: its roles are whatever taps the networks have. */
  public static final Needs UNKNOWN = new Needs(List.of(), List.of(), Set.of(), Set.of(), false);

  /**
   * The part that an output plays in a loss.
   *
   * @param name such as {@code features}
   * @param ranks that its tensor may have; empty: any
   * @param several whether a list of layers plays it, named {@code NAME.0}, {@code NAME.1} ...
   */
  public record Role(String name, Set<Integer> ranks, boolean several) {
    /** Copies the set. */
    public Role {
      ranks = Set.copyOf(ranks);
    }

    /** A role of one output. */
    public static Role of(String name, Integer... ranks) {
      return new Role(name, Set.of(ranks), false);
    }

    /** A role of a list of layers. */
    public static Role several(String name, Integer... ranks) {
      return new Role(name, Set.of(ranks), true);
    }
  }

  /** Copies the collections. */
  public Needs {
    student = List.copyOf(student);
    teacher = List.copyOf(teacher);
    targets = Set.copyOf(targets);
    inputs = Set.copyOf(inputs);
  }

  /** One output of each network in the same role. */
  public static Needs pair(Role role, boolean masks) {
    return new Needs(List.of(role), List.of(role), Set.of(), Set.of(), masks);
  }
}
