package org.structkd.objective;

import java.util.Set;
import java.util.TreeSet;

/**
 * Names of network outputs: what a term reads, or what networks offer.
 *
 * @param student of the student
 * @param teacher of the teacher
 */
public record Taps(Set<String> student, Set<String> teacher) {
  /** No tap at all. */
  public static final Taps NONE = new Taps(Set.of(), Set.of());

  /** Copies the sets. */
  public Taps {
    student = Set.copyOf(student);
    teacher = Set.copyOf(teacher);
  }

  /** One tap of either network. */
  public static Taps of(String student, String teacher) {
    return new Taps(Set.of(student), Set.of(teacher));
  }

  /** The taps of both. */
  public Taps and(Taps other) {
    Set<String> students = new TreeSet<>(student);
    students.addAll(other.student);
    Set<String> teachers = new TreeSet<>(teacher);
    teachers.addAll(other.teacher);
    return new Taps(students, teachers);
  }
}
