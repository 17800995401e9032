package org.structkd.objective;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;

/**
 * Looks at all gradients of a student between backward and the optimizer's step: a finite loss can
 * have a gradient that is not, and one such step destroys the weights.
 *
 * <pre>{@code
 * GradientCheck gradients = new GradientCheck(objective, student);
 * ...
 * objective.compute(inputs).total().backward();
 * gradients.require(step, () -> inputs(images, labels, step)); // computes the outputs once more
 * optimizer.step();
 * }</pre>
 *
 * <p>For one thread at a time.
 */
public final class GradientCheck {
  private final Objective objective;
  private final List<Module> modules;
  private final TensorVector parameters;

  /**
   * A check of the gradients of those who learn together.
   *
   * @param objective what is differentiated
   * @param modules the student, and parts of losses beside it, whose parameters it reaches; later
   *     ones are not looked at
   */
  public GradientCheck(Objective objective, Module... modules) {
    this.objective = objective;
    this.modules = List.of(modules);
    List<Tensor> all = new ArrayList<>();
    try (PointerScope temporaries = new PointerScope()) {
      for (Module module : modules) {
        TensorVector own = module.parameters();
        for (long i = 0; i < own.size(); i++) {
          all.add(own.get(i));
        }
      }
      parameters = Scopes.kept(new TensorVector(all.toArray(new Tensor[0])));
    }
  }

  /**
   * Checks that an optimizer can act on the gradients: all are finite and small enough to be
   * squared. They are read as one number: a device is waited for once.
   *
   * @param step counted from 0
   * @param again computes the outputs of this step once more, if a gradient is bad: then the terms
   *     are differentiated one by one, which leaves no gradients and may change running statistics
   * @throws DivergedException naming the term, and the parameter at which it was seen first
   */
  public void require(long step, Supplier<StepInputs> again) {
    if (!isUsable(largest())) {
      DivergedException found = find(step, again);
      zeroGrad();
      throw found;
    }
  }

  private void zeroGrad() {
    modules.forEach(module -> module.zero_grad(true));
  }

  private double largest() {
    return NativeCall.of(() -> NativeOps.largestGradient(parameters));
  }

  /** Above 1, an optimizer that squares the gradient overflows; NaN is refused, too. */
  private static boolean isUsable(double largest) {
    return largest <= 1;
  }

  /** Differentiates term by term: slow, but training ends here anyway. */
  private DivergedException find(long step, Supplier<StepInputs> again) {
    for (WeightedTerm term : objective.terms()) {
      if (term.weightAt(step) == 0) {
        continue;
      }
      try (PointerScope temporaries = new PointerScope()) {
        zeroGrad();
        StepLoss alone = new Objective(List.of(term)).compute(again.get());
        alone.total().backward();
        if (!isUsable(largest())) {
          return exception(step, alone.terms().get(0));
        }
      }
    }
    return new DivergedException(
        "total",
        step,
        Double.NaN,
        -1,
        "the gradient is not finite at step "
            + step
            + ", but that of each term alone is: their sum overflows, or the student's outputs"
            + " differ where they are computed once more");
  }

  /** Names the term that has just been differentiated alone, and a parameter. */
  private DivergedException exception(long step, TermValue term) {
    for (Module module : modules) {
      StringTensorDict named = module.named_parameters();
      for (long i = 0; i < named.size(); i++) {
        StringTensorDictItem item = named.get(i);
        if (!isUsable(NativeOps.largestGradient(new TensorVector(item.value())))) {
          double value = item.value().grad().abs().max().item_double();
          String sentence = sentence(step, term, item.key().getString(), value);
          return new DivergedException(term.name(), step, value, -1, sentence);
        }
      }
    }
    // The network has lost that parameter since this check was made.
    return new DivergedException(
        term.name(), step, Double.NaN, -1, sentence(step, term, "a removed one", Double.NaN));
  }

  /**
   * Checks the gradients of a part that learns against the student.
   *
   * @param term whose loss has the part
   * @param parameters of the part by name
   * @param step counted from 0
   * @throws DivergedException if one is not finite or too large to be squared
   */
  public static void requireOfOpponent(String term, Map<String, Tensor> parameters, long step) {
    for (Map.Entry<String, Tensor> parameter : parameters.entrySet()) {
      try (PointerScope temporaries = new PointerScope()) {
        double largest = NativeOps.largestGradient(new TensorVector(parameter.getValue()));
        if (!isUsable(largest)) {
          double value = parameter.getValue().grad().abs().max().item_double();
          throw new DivergedException(
              term,
              step,
              value,
              -1,
              ("the gradient of what learns against the student in term \"%s\""
                      + " reaches %s at step %s, first in \"%s\": lower the rate of its"
                      + " optimizer, or check its objective")
                  .formatted(term, value, step, parameter.getKey()));
        }
      }
    }
  }

  private static String sentence(long step, TermValue term, String parameter, double value) {
    String gradient = "the gradient of term \"" + term.name() + "\"";
    String where = " at step " + step + ", first in \"" + parameter + "\"";
    String lower = "lower its weight " + term.weight();
    return Double.isFinite(value)
        ? "%s reaches %s%s: optimizers square it, and that square is infinite; %s"
            .formatted(gradient, value, where, lower)
        : ("%s is %s%s, although its value is %s: a root, logarithm or division at 0"
                + " is differentiated, or it overflows; check the term, or %s")
            .formatted(gradient, value, where, term.value(), lower);
  }
}
