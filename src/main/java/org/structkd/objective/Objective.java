package org.structkd.objective;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Scopes;
import org.structkd.loss.Loss.OverExamples;
import org.structkd.loss.LossValue;
import org.structkd.loss.Needs;
import org.structkd.loss.SharedBatch;
import org.structkd.loss.TrainedPart;

/**
 * What a training step minimises: a weighted sum of named terms.
 *
 * <pre>{@code
 * Objective objective = Objective.of(
 *     new WeightedTerm("supervised", 1.0, Term.of(CrossEntropyLoss.standard(), "logits")),
 *     new WeightedTerm("pairwise", 0.5, Term.of(PairwiseLoss.skdCvpr19(), "features")));
 *
 * StepLoss loss = objective.compute(new StepInputs(studentTaps, teacherTaps, labels, step));
 * loss.total().backward();
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> the sum over the terms, in their order, of weight(step) times raw loss. A
 *       term whose weight is 0 at a step is still evaluated for the breakdown, but without
 *       gradient.
 *   <li><b>NaN:</b> a term that is NaN or infinite raises {@link DivergedException} before anything
 *       is differentiated; {@link GradientCheck} does so for gradients.
 *   <li><b>Memory:</b> temporaries are released before a call returns.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * @param terms at least one, of distinct names
 */
public record Objective(List<WeightedTerm> terms) {
  /** Checks names and weights. */
  public Objective {
    terms = List.copyOf(terms);
    if (terms.isEmpty()) {
      throw new IllegalArgumentException("an objective needs at least one term");
    }
    Set<String> names = new HashSet<>();
    boolean allZero = true;
    for (WeightedTerm term : terms) {
      if (!names.add(term.name())) {
        throw new IllegalArgumentException(
            "two terms have the name \"" + term.name() + "\", names must differ");
      }
      allZero &= term.weight() instanceof ConstantWeight constant && constant.weight() == 0;
    }
    if (allZero) {
      throw new IllegalArgumentException(
          "all weights are 0 ("
              + String.join(", ", namesOf(terms))
              + "): nothing would be learned");
    }
  }

  /** An objective of these terms. */
  public static Objective of(WeightedTerm... terms) {
    return new Objective(List.of(terms));
  }

  /** {@return the taps that all terms read together, as far as they say} */
  public Taps taps() {
    Taps all = Taps.NONE;
    for (WeightedTerm term : terms) {
      all = all.and(term.term().taps());
    }
    return all;
  }

  /** {@return whether a loss does not tell what it reads, and may read every tap} */
  public boolean readsUnknown() {
    return terms.stream().anyMatch(term -> term.term().loss().needs().equals(Needs.UNKNOWN));
  }

  /**
   * Checks, before training, that networks offer what the terms say they read.
   *
   * @param available taps of student and teacher
   * @throws IllegalArgumentException naming the term, the tap and the known taps
   */
  public void requireTaps(Taps available) {
    for (WeightedTerm term : terms) {
      inTerm(term, () -> term.term().requireTaps(available));
    }
  }

  /**
   * Checks, before training, that the losses can read what one step gives: taps and their ranks,
   * targets, inputs.
   *
   * @param dryRun what both networks made of one batch; nothing is computed of it
   * @throws IllegalArgumentException naming the term, and what is missing or has another rank
   */
  public void requireFit(StepInputs dryRun) {
    for (WeightedTerm term : terms) {
      inTerm(term, () -> term.term().requireFit(dryRun));
    }
  }

  /**
   * Makes what the losses train or keep. Whoever calls this hands the parts over with every step's
   * {@link StepInputs#parts} and closes them.
   *
   * @param dryRun what both networks made of one batch, whose shapes the parts get
   * @param seed of initial weights; each term draws its own from it
   * @return the parts by term name, in the order of the terms; without those that have none
   * @throws IllegalArgumentException as {@link #requireFit}, or if a loss refuses the shapes
   */
  public Map<String, TrainedPart> trainedParts(StepInputs dryRun, long seed) {
    requireFit(dryRun);
    Map<String, TrainedPart> parts = new LinkedHashMap<>();
    try (PointerScope temporaries = new PointerScope()) {
      for (WeightedTerm term : terms) {
        // Of the name, not of the place: another term before it changes nothing.
        long own = 31 * seed + term.name().hashCode();
        inTerm(
            term,
            () ->
                term.term()
                    .loss()
                    .trainedPart(term.inputs(dryRun), own)
                    .ifPresent(part -> parts.put(term.name(), part)));
      }
      return parts;
    } catch (RuntimeException | Error e) {
      parts.values().forEach(TrainedPart::close);
      throw e;
    }
  }

  /**
   * Checks, before training, the weights of all its steps.
   *
   * @param first the first step
   * @param end the step after the last
   * @throws IllegalArgumentException if a schedule gives an impossible weight at one of them, or
   *     all weights are 0 there
   */
  public void requireWeights(long first, long end) {
    if (terms.stream().allMatch(term -> term.weight() instanceof ConstantWeight)) {
      return; // these were checked when they were made
    }
    for (long step = first; step < end; step++) {
      weightsAt(step);
    }
  }

  /**
   * Computes all terms of one step.
   *
   * @param inputs what student and teacher gave
   * @return the total, attached to the caller's PointerScope, and the breakdown
   * @throws DivergedException if a term, or the total, is NaN or infinite
   * @throws IllegalArgumentException if a term refuses its inputs, a schedule gives an impossible
   *     weight, or all weights are 0 at this step
   * @throws StructkdException if native code is missing or fails
   */
  public StepLoss compute(StepInputs inputs) {
    double[] weights = weightsAt(inputs.step());
    List<TermValue> values = new ArrayList<>();
    Tensor total = Scopes.resultOf(() -> sum(inputs, weights, values));
    return new StepLoss(total, inputs.step(), values);
  }

  private double[] weightsAt(long step) {
    double[] weights = new double[terms.size()];
    boolean allZero = true;
    for (int i = 0; i < weights.length; i++) {
      weights[i] = terms.get(i).weightAt(step);
      allZero &= weights[i] == 0;
    }
    if (allZero) {
      throw new IllegalArgumentException(
          "all weights are 0 at step %s (%s): there is nothing to differentiate"
              .formatted(step, String.join(", ", namesOf(terms))));
    }
    return weights;
  }

  private Tensor sum(StepInputs inputs, double[] weights, List<TermValue> values) {
    @Nullable Tensor sum = null;
    for (int i = 0; i < weights.length; i++) {
      WeightedTerm term = terms.get(i);
      LossValue computed = compute(term, inputs, weights[i] != 0);
      Tensor raw = computed.loss();
      double value = raw.item_double();
      if (!Double.isFinite(value)) {
        throw diverged(term, inputs, value);
      }
      Tensor count = computed.tookPart();
      OptionalLong tookPart =
          count == null ? OptionalLong.empty() : OptionalLong.of(count.item_long());
      values.add(new TermValue(term.name(), weights[i], value, tookPart));
      if (weights[i] != 0) {
        Tensor weighted = raw.mul(new Scalar(weights[i]));
        sum = sum == null ? weighted : sum.add(weighted);
      }
    }
    double total = sum.item_double();
    if (!Double.isFinite(total)) { // finite terms, but more than an f32 can hold
      throw new DivergedException(
          "total",
          inputs.step(),
          total,
          -1,
          ("the weighted sum of the terms is %s at step %s, although each is finite:"
                  + " lower their weights")
              .formatted(total, inputs.step()));
    }
    return sum;
  }

  private static DivergedException diverged(WeightedTerm term, StepInputs inputs, double value) {
    int image = firstNonFiniteImage(term, inputs);
    return new DivergedException(
        term.name(),
        inputs.step(),
        value,
        image,
        "term \"%s\" is %s at step %s%s: %s"
            .formatted(
                term.name(),
                value,
                inputs.step(),
                image < 0 ? "" : ", first for image " + image + " of the batch",
                inputs.firstNonFinite()));
  }

  private static LossValue compute(WeightedTerm term, StepInputs inputs, boolean differentiable) {
    LossValue computed;
    try {
      if (differentiable) {
        computed = term.term().loss().measure(term.inputs(inputs));
      } else {
        try (NoGradGuard valueOnly = new NoGradGuard()) {
          computed = term.term().loss().measure(term.inputs(inputs));
        }
      }
    } catch (RuntimeException e) {
      throw inTerm(term.name(), NativeCall.translate(e));
    }
    Tensor raw = computed.loss();
    if (raw == null || raw.isNull() || raw.numel() != 1) {
      throw inTerm(
          term.name(), new IllegalArgumentException("its result is not a scalar, expected one"));
    }
    if (differentiable && !raw.requires_grad() && inputs.studentRequiresGrad()) {
      throw inTerm(
          term.name(),
          new IllegalArgumentException(
              "its result has no gradient, although the student's outputs do, so it would teach"
                  + " nothing: compute it from them without detach() or NoGradGuard, or give it"
                  + " weight 0"));
    }
    SharedBatch shared = inputs.shared();
    return shared != null && term.term().loss().overExamples() == OverExamples.SUM
        ? new LossValue(shared.sum(raw), computed.tookPart())
        : computed;
  }

  /** Evaluates a term for each image alone: slow, but training ends here anyway. */
  private static int firstNonFiniteImage(WeightedTerm term, StepInputs inputs) {
    long images = inputs.images();
    for (int image = 0; image < images; image++) {
      try (PointerScope temporaries = new PointerScope()) {
        double value = compute(term, inputs.image(image), false).loss().item_double();
        if (!Double.isFinite(value)) {
          return image;
        }
      } catch (RuntimeException e) {
        return -1; // a term that needs the whole batch
      }
    }
    return -1;
  }

  private static void inTerm(WeightedTerm term, Runnable check) {
    try {
      check.run();
    } catch (RuntimeException e) {
      throw inTerm(term.name(), NativeCall.translate(e));
    }
  }

  /** The same error, naming the term; what a term of the user's own throws passes unchanged. */
  private static RuntimeException inTerm(String term, RuntimeException error) {
    String sentence = "term \"" + term + "\": " + error.getMessage();
    if (error instanceof StructkdException ours) {
      return new StructkdException(ours.status(), sentence, ours.getCause());
    }
    return error instanceof IllegalArgumentException
        ? new IllegalArgumentException(sentence, error)
        : error;
  }

  private static List<String> namesOf(List<WeightedTerm> terms) {
    return terms.stream().map(WeightedTerm::name).toList();
  }
}
