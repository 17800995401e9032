package org.structkd.objective;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Words;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.loss.TrainedPart;

/**
 * A loss wired to the outputs ("taps") of networks: which tap plays which role of the loss. A role
 * that is not wired is played by the tap of its own name, a list of layers by that one alone. A
 * loss that does not tell its needs, such as a lambda, sees every tap by its own name beside the
 * roles that are wired.
 *
 * <pre>{@code
 * Term pairwise = Term.of(PairwiseLoss.skdReleased(), "features");
 * Term masked = Term.of(PixelwiseLoss.kd(), "logits").withTeacherResized().withIgnoreIndex(255);
 * Term structural = Term.of(loss, "features").withTeacher("logits", "upsampled");
 * Term own = Term.of(inputs -> inputs.student("features").square().mean());
 * }</pre>
 *
 * <p>Immutable, may be shared. A checkpoint keeps what {@code toString} says, so that a training
 * does not continue with other settings unnoticed: records say enough, a lambda says only where it
 * was written.
 *
 * @param loss what is computed
 * @param studentTaps the student's tap of each role
 * @param teacherTaps the teacher's tap of each role; of several teachers {@code NAME.tap}
 * @param resizesTeacher whether the teacher's maps are brought to the student's height and width
 * @param ignoreIndex the label of positions that take no part; empty: all do
 */
public record Term(
    Loss loss,
    Map<String, String> studentTaps,
    Map<String, String> teacherTaps,
    boolean resizesTeacher,
    OptionalLong ignoreIndex) {
  /**
   * Checks the wiring against the needs of the loss, and completes it.
   *
   * @throws IllegalArgumentException if something is null, a role is wired that the loss does not
   *     have, or the loss cannot do what is asked for
   */
  public Term {
    if (loss == null || studentTaps == null || teacherTaps == null || ignoreIndex == null) {
      throw new IllegalArgumentException(
          ("a term needs a loss and taps, given: loss %s, student's taps %s,"
                  + " teacher's taps %s, ignoreIndex %s")
              .formatted(loss, studentTaps, teacherTaps, ignoreIndex));
    }
    studentTaps = wired(loss, "student", loss.needs().student(), studentTaps);
    teacherTaps = wired(loss, "teacher", loss.needs().teacher(), teacherTaps);
    if (isUnknown(loss)) {
      if (resizesTeacher) {
        throw new IllegalArgumentException(
            nameOf(loss)
                + " does not tell its needs(), so it is not known which of the teacher's taps to"
                + " resize: resize them in the loss");
      }
    } else if (ignoreIndex.isPresent() && !loss.needs().masks()) {
      throw new IllegalArgumentException(
          nameOf(loss)
              + " has no rule for positions without a label, so it cannot leave out those of the"
              + " ignoreIndex "
              + ignoreIndex.getAsLong()
              + " of a term; some losses have a setting of their own for it");
    }
  }

  private static Map<String, String> wired(
      Loss loss, String network, List<Needs.Role> roles, Map<String, String> given) {
    Map<String, String> all = new TreeMap<>(); // in an order, as toString is compared
    given.forEach(
        (role, tap) -> {
          if (role == null || tap == null) {
            throw new IllegalArgumentException(
                "%s: role %s of the %s is wired to tap %s, expected two names"
                    .formatted(nameOf(loss), role, network, tap));
          }
          if (!isUnknown(loss) && roles.stream().noneMatch(known -> plays(known, role))) {
            throw unknownRole(loss, network, role, roles);
          }
          all.put(role, tap);
        });
    for (Needs.Role role : roles) {
      all.putIfAbsent(firstOf(role), role.name());
    }
    return Collections.unmodifiableMap(all);
  }

  private static boolean plays(Needs.Role role, String name) {
    return role.several()
        ? name.matches("\\Q" + role.name() + "\\E\\.\\d+")
        : name.equals(role.name());
  }

  private static IllegalArgumentException unknownRole(
      Loss loss, String network, String role, List<Needs.Role> roles) {
    Set<String> known = roles.stream().map(Needs.Role::name).collect(Collectors.toSet());
    return new IllegalArgumentException(
        "%s has no role \"%s\" of the %s, it has: %s"
            .formatted(nameOf(loss), role, network, Words.listNearest(role, known)));
  }

  private static boolean isUnknown(Loss loss) {
    return loss.needs().equals(Needs.UNKNOWN);
  }

  private static String nameOf(Loss loss) {
    return loss.getClass().isRecord() ? loss.getClass().getSimpleName() : "the loss";
  }

  /** A loss whose roles are played by the taps of their names. */
  public static Term of(Loss loss) {
    return new Term(loss, Map.of(), Map.of(), false, OptionalLong.empty());
  }

  /** A loss of the tap of this name of each network that it reads. */
  public static Term of(Loss loss, String tap) {
    return of(loss, tap, tap);
  }

  /**
   * A loss of a tap of the student and one of the teacher. They play the first role of each; others
   * are played by the taps of their names.
   *
   * @param teacherTap not used by a loss that reads no teacher
   */
  public static Term of(Loss loss, String studentTap, String teacherTap) {
    if (loss == null || studentTap == null || teacherTap == null) {
      throw new IllegalArgumentException(
          "a term needs a loss and two taps, given: loss %s, student's tap %s, teacher's tap %s"
              .formatted(loss, studentTap, teacherTap));
    }
    if (isUnknown(loss)) {
      throw new IllegalArgumentException(
          "the loss does not tell its needs(), so it is not known which role \""
              + studentTap
              + "\" plays: leave the tap out and read it by its name, or wire it by withStudent and"
              + " withTeacher");
    }
    return new Term(
        loss,
        first(loss.needs().student(), studentTap),
        first(loss.needs().teacher(), teacherTap),
        false,
        OptionalLong.empty());
  }

  private static Map<String, String> first(List<Needs.Role> roles, String tap) {
    if (roles.isEmpty()) {
      return Map.of();
    }
    return Map.of(firstOf(roles.get(0)), tap);
  }

  /** What the only output that plays a role is called, or the first of several. */
  private static String firstOf(Needs.Role role) {
    return role.several() ? role.name() + ".0" : role.name();
  }

  /** The same with a role of the student played by another tap. */
  public Term withStudent(String role, String tap) {
    return new Term(loss, with(studentTaps, role, tap), teacherTaps, resizesTeacher, ignoreIndex);
  }

  /** The same with a role of the teacher played by another tap. */
  public Term withTeacher(String role, String tap) {
    return new Term(loss, studentTaps, with(teacherTaps, role, tap), resizesTeacher, ignoreIndex);
  }

  private static Map<String, String> with(Map<String, String> taps, String role, String tap) {
    Map<String, String> changed = new HashMap<>(taps);
    changed.put(role, tap);
    return changed;
  }

  /**
   * The same with the teacher's maps [B, C, h, w] brought to the student's height and width first:
   * bilinear, corners not aligned, as in {@code interpolate(mode="bilinear", align_corners=False)}.
   * The student's map is that of the same role, or of its first one. Maps of equal size stay as
   * they are, bit for bit.
   */
  public Term withTeacherResized() {
    return new Term(loss, studentTaps, teacherTaps, true, ignoreIndex);
  }

  /**
   * The same over the labelled positions: where the step's label is this one, usually 255, or -1, a
   * position takes no part. Labels are of any integer type and size; the loss says how it leaves
   * positions out.
   *
   * @param label of positions that take no part
   * @throws IllegalArgumentException if the loss has no rule for such positions
   */
  public Term withIgnoreIndex(long label) {
    return new Term(loss, studentTaps, teacherTaps, resizesTeacher, OptionalLong.of(label));
  }

  /** {@return the taps that the term reads, as far as they are known, for checks} */
  public Taps taps() {
    return new Taps(Set.copyOf(studentTaps.values()), Set.copyOf(teacherTaps.values()));
  }

  /**
   * Checks that networks have the taps of all roles.
   *
   * @throws IllegalArgumentException naming the role, the tap and the known taps
   */
  void requireTaps(Taps available) {
    requireTaps("student", studentTaps, available.student());
    requireTaps("teacher", teacherTaps, available.teacher());
  }

  private static void requireTaps(
      String network, Map<String, String> wired, Set<String> available) {
    wired.forEach(
        (role, tap) -> {
          if (!available.contains(tap)) {
            throw new IllegalArgumentException(
                "%s has no tap \"%s\" for the role \"%s\", it has: %s"
                    .formatted(network, tap, role, Words.listNearest(tap, available)));
          }
        });
  }

  /**
   * Checks one step's tensors: taps, their ranks, targets and inputs.
   *
   * @throws IllegalArgumentException naming what is missing or has another rank
   */
  void requireFit(StepInputs step) {
    requireTaps(step.taps());
    requireRanks("student", loss.needs().student(), studentTaps, step.student());
    requireRanks("teacher", loss.needs().teacher(), teacherTaps, step.teacher());
    for (String target : loss.needs().targets()) {
      requireNamed("target", target, step.targets());
    }
    if (ignoreIndex.isPresent()) {
      requireNamed("target", LossInputs.LABELS, step.targets());
    }
    for (String input : loss.needs().inputs()) {
      requireNamed("input", input, step.inputs());
    }
  }

  private static void requireRanks(
      String network,
      List<Needs.Role> roles,
      Map<String, String> wired,
      Map<String, Tensor> outputs) {
    for (Needs.Role role : roles) {
      wired.forEach(
          (name, tap) -> {
            long rank = outputs.get(tap).dim();
            if (plays(role, name)
                && !role.ranks().isEmpty()
                && !role.ranks().contains((int) rank)) {
              throw new IllegalArgumentException(
                  "the role \""
                      + name
                      + "\" is played by the "
                      + network
                      + "'s tap \""
                      + tap
                      + "\" of rank "
                      + rank
                      + ", expected "
                      + role.ranks().stream()
                          .sorted()
                          .map(String::valueOf)
                          .collect(Collectors.joining(" or ")));
            }
          });
    }
  }

  private static void requireNamed(String kind, String name, Map<String, Tensor> known) {
    if (!known.containsKey(name)) {
      throw new IllegalArgumentException(
          "the batch has no %s \"%s\", which the loss reads, it has: %s"
              .formatted(kind, name, Words.listNearest(name, known.keySet())));
    }
  }

  /**
   * {@return what the loss gets in a step: outputs by role}
   *
   * @param step outputs by tap
   * @param part what the loss trains or keeps; null where it has none
   * @throws IllegalArgumentException if a network lacks a tap, or a map cannot be resized
   */
  public LossInputs inputs(StepInputs step, @Nullable TrainedPart part) {
    requireTaps(step.taps());
    Map<String, Tensor> student = outputs(studentTaps, step.student());
    Map<String, Tensor> teacher = outputs(teacherTaps, step.teacher());
    if (resizesTeacher) {
      Tensor first = student.get(firstOf(loss.needs().student().get(0)));
      teacher.replaceAll((role, map) -> TeacherSize.of(map, student.getOrDefault(role, first)));
    }
    return new LossInputs(
        student,
        teacher,
        step.targets(),
        step.inputs(),
        ignoreIndex,
        step.step(),
        part,
        step.shared());
  }

  private Map<String, Tensor> outputs(Map<String, String> wired, Map<String, Tensor> taps) {
    Map<String, Tensor> outputs = new HashMap<>(isUnknown(loss) ? taps : Map.of());
    wired.forEach((role, tap) -> outputs.put(role, taps.get(tap)));
    return outputs;
  }
}
