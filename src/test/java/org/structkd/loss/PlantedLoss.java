package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * The mean square of student - teacher over the labelled positions, wrong in one way.
 *
 * @param fault what is wrong
 * @param factor of the mean, greater than 0
 */
public record PlantedLoss(Fault fault, double factor) implements MapLoss {
  private static final String NAME = "planted loss";

  /** Tensors that nobody closes. */
  private static final List<Tensor> LEAKED = new ArrayList<>();

  private static long calls;

  /** What can be wrong with a loss. */
  public enum Fault {
    NONE(null),
    VALUE_OF_EACH_IMAGE(LossPromise.IS_A_SCALAR_WITH_A_GRADIENT),
    OTHER_VALUE_WITHOUT_GRAD_MODE(LossPromise.IS_A_SCALAR_WITH_A_GRADIENT),
    NO_GRADIENT(LossPromise.IS_A_SCALAR_WITH_A_GRADIENT),
    BACKWARD_INSIDE_THE_CALL(LossPromise.MULTIPLIES_THE_UPSTREAM_GRADIENT),
    TEACHER_LEARNS(LossPromise.TAKES_THE_TEACHER_AS_CONSTANT),
    GRADIENT_WITHOUT_A_GRAPH(LossPromise.DIFFERENTIATES_TWICE_OR_SAYS_WHY_NOT),
    WRONG_SIGN(LossPromise.HAS_THE_DERIVATIVE_AS_ITS_GRADIENT),
    FLOAT_FOR_DOUBLE(LossPromise.TAKES_EVERY_FLOATING_TYPE),
    COARSE_NUMBERS(LossPromise.MEETS_THE_ACCURACY_RULE),
    GRADIENT_IN_THE_STUDENTS_TYPE(LossPromise.KEEPS_SMALL_GRADIENTS_FOR_A_LOSS_SCALE),
    IGNORES_STRIDES(LossPromise.READS_EVERY_LAYOUT),
    COUNTS_TOKENS_TWICE(LossPromise.TAKES_TOKENS_FOR_MAPS),
    NEEDS_TWO_IMAGES(LossPromise.TAKES_ODD_SIZES_AND_SINGLE_IMAGES),
    NEEDS_EVEN_SIZES(LossPromise.TAKES_ODD_SIZES_AND_SINGLE_IMAGES),
    IGNORES_LABELS(LossPromise.LEAVES_OUT_POSITIONS_WITHOUT_A_LABEL),
    COUNTS_CALLS(LossPromise.REPEATS_BIT_FOR_BIT),
    DEPENDS_ON_THREADS(LossPromise.REPEATS_BIT_FOR_BIT),
    DRAWS(LossPromise.LEAVES_LIBTORCH_AS_IT_WAS),
    SETS_THREADS(LossPromise.LEAVES_LIBTORCH_AS_IT_WAS),
    TURNS_GRAD_MODE_ON(LossPromise.IS_A_SCALAR_WITH_A_GRADIENT),
    LEAKS(LossPromise.LEAVES_NO_NATIVE_OBJECT),
    VALUE_IN_NO_SCOPE(LossPromise.GIVES_ITS_VALUE_TO_THE_CALLERS_SCOPE),
    HIDES_NAN(LossPromise.SHOWS_NAN),
    SUMS_EXAMPLES(LossPromise.SAYS_WHAT_IT_IS_OVER_EXAMPLES),
    IS_NEARLY_FLAT(LossPromise.TRAINS_BY_ITSELF),
    CHECKS_NOTHING(LossPromise.REFUSES_BAD_INPUT_BY_A_SENTENCE),
    NAMES_ANOTHER_LOSS(LossPromise.REFUSES_BAD_INPUT_BY_A_SENTENCE),
    TAKES_ANY_SETTINGS(LossPromise.REFUSES_IMPOSSIBLE_SETTINGS_BY_A_SENTENCE);

    private final @Nullable LossPromise breaks;

    Fault(@Nullable LossPromise breaks) {
      this.breaks = breaks;
    }

    LossPromise breaks() {
      if (breaks == null) {
        throw new IllegalStateException(this + " breaks nothing");
      }
      return breaks;
    }
  }

  /** Checks the settings. */
  public PlantedLoss {
    Settings.requireGiven(NAME, "fault", fault);
    if (fault != Fault.TAKES_ANY_SETTINGS) {
      Settings.requirePositive(NAME, "factor", factor);
    }
  }

  private boolean is(Fault one) {
    return fault == one;
  }

  @Override
  public Needs needs() {
    return Needs.pair(new Needs.Role("map", Set.of(3, 4), false), true);
  }

  @Override
  public Tensor forward(LossInputs inputs) {
    return is(Fault.VALUE_IN_NO_SCOPE)
        ? Scopes.unscoped(() -> measure(inputs).loss())
        : MapLoss.super.forward(inputs);
  }

  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(() -> value(student, teacher, null, 0));
  }

  @Override
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(() -> value(student, teacher, labels, ignoreIndex));
  }

  private Tensor value(Tensor student, Tensor teacher, @Nullable Tensor labels, long ignoreIndex) {
    misbehave(student);
    if (is(Fault.CHECKS_NOTHING)) {
      return student.sub(teacher.detach()).square().mean();
    }
    String name = is(Fault.NAMES_ANOTHER_LOSS) ? "another loss" : NAME;
    MapPair maps =
        MapPair.of(name, student, teacher, MapView.Accepts.TOKENS)
            .requireSameSize()
            .requireSameChannels();
    ScalarType type =
        torch.promoteTypes(
            torch.promoteTypes(student.scalar_type(), teacher.scalar_type()), ScalarType.Float);
    Tensor s = read(maps.student().map()).to(type);
    Tensor t = maps.teacher().map().to(type);
    Tensor squares = s.sub(is(Fault.TEACHER_LEARNS) ? t : t.detach()).square();
    if (labels != null && !is(Fault.IGNORES_LABELS)) {
      Tensor valid = Labels.of(maps.student(), labels, ignoreIndex).valid().unsqueeze(1);
      Tensor count = valid.sum().mul(new Scalar(s.size(1))).clamp_min(new Scalar(1));
      return torch.where(valid, squares, new Scalar(0)).sum().div(count);
    }
    Tensor scaled = squares.mul(new Scalar(factor));
    Tensor mean = is(Fault.VALUE_OF_EACH_IMAGE) ? scaled.mean(1, 2, 3) : scaled.mean();
    return changed(mean, student, s.sub(t).detach());
  }

  /** What changes something beside the value. */
  private void misbehave(Tensor student) {
    calls++;
    switch (fault) {
      case DRAWS -> torch.rand(1);
      case SETS_THREADS -> torch.set_num_threads(torch.get_num_threads() + 1);
      case TURNS_GRAD_MODE_ON -> GradMode.set_enabled(true);
      case LEAKS -> LEAKED.add(Scopes.unscoped(() -> student.detach().clone()));
      case NEEDS_TWO_IMAGES -> student.select(0, 1);
      case NEEDS_EVEN_SIZES -> student.view(student.size(0), -1, 2);
      default -> {}
    }
  }

  private Tensor read(Tensor map) {
    return switch (fault) {
      case IGNORES_STRIDES -> {
        Tensor dense = map.contiguous();
        yield map.as_strided(dense.sizes(), dense.strides());
      }
      case COARSE_NUMBERS -> isComposed() ? map : map.to(ScalarType.BFloat16);
      case HIDES_NAN -> map.nan_to_num();
      default -> map;
    };
  }

  private static boolean isComposed() {
    String backend = NativeCall.of(() -> NativeOps.useBackend(""));
    NativeOps.useBackend(backend);
    return backend.equals("composed");
  }

  private Tensor changed(Tensor value, Tensor student, Tensor gap) {
    return switch (fault) {
      case OTHER_VALUE_WITHOUT_GRAD_MODE ->
          GradMode.is_enabled() ? value : value.mul(new Scalar(2));
      case NO_GRADIENT -> value.detach().add(student.sum().mul(new Scalar(0)));
      case BACKWARD_INSIDE_THE_CALL -> {
        value.backward();
        yield value.detach().add(student.sum().mul(new Scalar(0)));
      }
      case GRADIENT_WITHOUT_A_GRAPH, GRADIENT_IN_THE_STUDENTS_TYPE -> {
        Tensor gradient = gap.mul(new Scalar(2.0 / gap.numel())).to(student.scalar_type());
        Tensor change = student.sub(student.detach());
        yield value.detach().add(gradient.mul(change).to(value.scalar_type()).sum());
      }
      case IS_NEARLY_FLAT -> value.mul(new Scalar(-20)).exp().neg().add(new Scalar(1));
      case WRONG_SIGN -> value.detach().mul(new Scalar(2)).sub(value);
      case FLOAT_FOR_DOUBLE -> value.to(ScalarType.Float);
      case SUMS_EXAMPLES -> value.mul(new Scalar(student.size(0)));
      case COUNTS_TOKENS_TWICE -> student.dim() == 3 ? value.mul(new Scalar(2)) : value;
      case COUNTS_CALLS -> value.mul(new Scalar(calls));
      case DEPENDS_ON_THREADS -> value.mul(new Scalar(torch.get_num_threads()));
      default -> value;
    };
  }
}
