package org.structkd.testing;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Node;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Losses;
import org.structkd.loss.TrainedPart;

/**
 * A loss with inputs of its own, on one backend. Each call makes its trained part anew, so that
 * equal inputs are an equal state.
 *
 * @param id its name in {@link Losses}
 * @param preset of that loss
 * @param loss what is called
 * @param kernel whether a kernel computes it
 * @param backend that CPU tensors are sent to; empty: where they go anyway
 */
public record LossUnderTest(
    String id, String preset, Loss loss, boolean kernel, Optional<String> backend) {
  /** {@return every loss in every preset; those of a kernel on the reference, too} */
  public static List<LossUnderTest> all() {
    return Losses.all().stream().flatMap(LossUnderTest::of).toList();
  }

  /** {@return every kernel loss, in the first of its presets that is one call of its kernel} */
  public static List<LossUnderTest> kernels() {
    return Losses.all().stream()
        .filter(entry -> entry.kind() == Losses.Kind.KERNEL)
        .map(entry -> of(entry).filter(LossUnderTest::isOneKernel).findFirst().orElseThrow())
        .toList();
  }

  /** {@return a loss of the list in settings of its own} */
  public static LossUnderTest of(Losses.Entry entry, Loss loss) {
    boolean kernel = entry.kind() == Losses.Kind.KERNEL;
    return new LossUnderTest(entry.id(), "", loss, kernel, Optional.empty());
  }

  private static Stream<LossUnderTest> of(Losses.Entry entry) {
    Set<Loss> seen = new LinkedHashSet<>(); // two presets may be one loss
    boolean kernel = entry.kind() == Losses.Kind.KERNEL;
    return entry.presets().stream()
        .filter(preset -> seen.add(entry.create(preset)))
        .flatMap(
            preset ->
                Stream.of(Optional.<String>empty(), Optional.of("reference"))
                    .filter(backend -> kernel || backend.isEmpty())
                    .map(
                        backend ->
                            new LossUnderTest(
                                entry.id(), preset, entry.create(preset), kernel, backend)));
  }

  /**
   * What a call gave.
   *
   * @param value the loss
   * @param gradients of the student's outputs by role
   */
  public record Outcome(Tensor value, TreeMap<String, Tensor> gradients) {
    /** {@return relative distance of values and gradients, the larger} */
    public double errorAgainst(Outcome truth) {
      double worst = Tensors.relativeError(value, truth.value);
      for (Map.Entry<String, Tensor> gradient : gradients.entrySet()) {
        worst =
            worse(
                worst,
                Tensors.relativeError(gradient.getValue(), truth.gradients.get(gradient.getKey())));
      }
      return worst;
    }

    private static double worse(double one, double other) {
      return Double.isNaN(other) || other > one ? other : one;
    }

    /** {@return whether value and gradients have the same bits} */
    public boolean sameBits(Outcome other) {
      return Tensors.sameBits(value, other.value)
          && gradients.keySet().stream()
              .allMatch(role -> Tensors.sameBits(gradients.get(role), other.gradients.get(role)));
    }

    /** {@return the largest absolute gradient} */
    public double largestGradient() {
      return gradients.values().stream()
          .mapToDouble(gradient -> gradient.abs().max().item_double())
          .max()
          .orElseThrow();
    }
  }

  /** {@return the same on another backend} */
  public LossUnderTest on(String other) {
    return new LossUnderTest(id, preset, loss, kernel, Optional.of(other));
  }

  /** Nothing is computed around the kernel: its node of the graph leads to the student. */
  private boolean isOneKernel() {
    try (PointerScope scope = new PointerScope()) {
      Tensor value = forward(leaves(inputs(ScalarType.Float)));
      Node before = value.grad_fn().next_edge(0).function();
      while (before.name().getString().matches(".*(View|Unsqueeze)Backward.*")) {
        before = before.next_edge(0).function(); // vectors are seen as maps
      }
      return isByKernel(value) && before.name().getString().contains("AccumulateGrad");
    }
  }

  /** {@return whether autograd has a kernel's node for a value} */
  public static boolean isByKernel(Tensor value) {
    return value.grad_fn().name().getString().contains("KernelLoss");
  }

  /** {@return small sizes that it takes} */
  public MadeInputs.Sizes sizes() {
    return MadeInputs.Sizes.of(id, loss.needs());
  }

  /** {@return inputs in f64} */
  public LossInputs inputs() {
    return MadeInputs.of(loss.needs(), sizes(), 1);
  }

  /** {@return inputs in f64 of other sizes} */
  public LossInputs inputs(MadeInputs.Sizes sizes) {
    return MadeInputs.of(loss.needs(), sizes.fitting(loss.needs()).takenBy(id), 1);
  }

  /** {@return inputs in a type} */
  public LossInputs inputs(ScalarType type) {
    return MadeInputs.changed(inputs(), MadeInputs.to(type), MadeInputs.to(type));
  }

  /** {@return whether it trains layers, which LibTorch computes} */
  public boolean hasLayers() {
    return ofPart(part -> true);
  }

  /** {@return whether it learns against a part of its own, which then moves where it falls to} */
  public boolean hasOpponent() {
    return ofPart(part -> part instanceof TrainedPart.Opponent);
  }

  private boolean ofPart(Predicate<TrainedPart> condition) {
    try (TrainedPart part = loss.trainedPart(inputs(), 7).orElse(null)) {
      return part != null && condition.test(part);
    }
  }

  /** {@return the loss} */
  public Tensor forward(LossInputs in) {
    return backend.isEmpty()
        ? onTheDefault(in)
        : OnBackend.of(backend.get(), () -> onTheDefault(in));
  }

  private Tensor onTheDefault(LossInputs in) {
    Optional<TrainedPart> part = loss.trainedPart(in, 7);
    if (part.isEmpty()) {
      return loss.forward(in);
    }
    try (TrainedPart own = part.get()) {
      own.module().to(in.student().values().iterator().next().device(), false);
      if (in.student().values().stream().anyMatch(LossUnderTest::isDouble)
          || in.teacher().values().stream().anyMatch(LossUnderTest::isDouble)) {
        own.module().to(ScalarType.Double, false);
      }
      return loss.forward(MadeInputs.with(in, in.ignoreIndex(), own));
    }
  }

  private static boolean isDouble(Tensor tensor) {
    return tensor.scalar_type().intern() == ScalarType.Double;
  }

  /** {@return value and gradients} */
  public Outcome outcome(LossInputs in) {
    return outcome(in, student -> student, 1);
  }

  /** {@return value and gradients where the loss sees views of the student's outputs} */
  public Outcome outcome(LossInputs in, UnaryOperator<Tensor> view, double upstream) {
    LossInputs leaves = leaves(in);
    Tensor value = forward(MadeInputs.changed(leaves, view, teacher -> teacher));
    value.mul(new Scalar(upstream)).backward();
    return new Outcome(value.detach(), gradients(leaves));
  }

  /** {@return the same with outputs of the student that collect gradients} */
  public static LossInputs leaves(LossInputs in) {
    return MadeInputs.changed(
        in, student -> Tensors.leaf(student, student.scalar_type().intern()), teacher -> teacher);
  }

  /** {@return what leaves have collected} */
  public static TreeMap<String, Tensor> gradients(LossInputs leaves) {
    TreeMap<String, Tensor> gradients = new TreeMap<>();
    leaves.student().forEach((role, leaf) -> gradients.put(role, leaf.grad()));
    return gradients;
  }

  @Override
  public String toString() {
    return id + " " + preset + backend.map(name -> " on " + name).orElse("");
  }
}
