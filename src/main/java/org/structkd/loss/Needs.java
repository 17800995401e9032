package org.structkd.loss;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

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
 * @param forms by name of a role, target or input, where its tensors are not any numbers: images
 *     for an input, in the shape of the student's first output for a target
 */
public record Needs(
    List<Role> student,
    List<Role> teacher,
    Set<String> targets,
    Set<String> inputs,
    boolean masks,
    Map<String, Form> forms) {
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

  /** Which numbers a tensor holds. */
  public enum Values {
    /** Any finite ones. */
    REAL,
    /** Numbers above 0, such as depths. */
    POSITIVE,
    /** Numbers between 0 and 1. */
    UNIT,
    /** Yes or no: whatever is not 0 is yes. */
    FLAGS,
    /** One whole number for each example, such as its user. */
    INDICES,
    /** Square matrices that have an inverse, such as cameras. */
    MATRICES;

    /** {@return its name in lower case} */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What a tensor is like.
   *
   * @param values its numbers
   * @param sizes behind the batch, 0 where one is as usual; empty: all are, see {@link Needs#forms}
   */
  public record Form(Values values, List<Integer> sizes) {
    /** Copies the list. */
    public Form {
      sizes = List.copyOf(sizes);
    }

    /** Numbers in the usual shape, or in the shape of the batch and these sizes. */
    public static Form of(Values values, Integer... sizes) {
      return new Form(values, List.of(sizes));
    }
  }

  /** Copies the collections; names in an order that each JVM has, as refusals tell the first. */
  public Needs {
    student = List.copyOf(student);
    teacher = List.copyOf(teacher);
    targets = Collections.unmodifiableSet(new TreeSet<>(targets));
    inputs = Collections.unmodifiableSet(new TreeSet<>(inputs));
    forms = Map.copyOf(forms);
  }

  /** Tensors of any numbers. */
  public Needs(
      List<Role> student,
      List<Role> teacher,
      Set<String> targets,
      Set<String> inputs,
      boolean masks) {
    this(student, teacher, targets, inputs, masks, Map.of());
  }

  /** One output of each network in the same role. */
  public static Needs pair(Role role, boolean masks) {
    return new Needs(List.of(role), List.of(role), Set.of(), Set.of(), masks);
  }

  /** The same, where the tensors of a role, target or input are of a form. */
  public Needs with(String name, Form form) {
    Map<String, Form> more = new HashMap<>(forms);
    more.put(name, form);
    return new Needs(student, teacher, targets, inputs, masks, more);
  }
}
