package org.structkd.verify;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The relative errors of a computed case.
 *
 * @param value the largest over its outputs
 * @param gradient the largest over what is stored of its gradients; null if nothing is
 * @param slip an f32 record that no rounding explains, as a sentence; null if there is none
 */
record GoldenComparison(double value, @Nullable Double gradient, @Nullable String slip) {
  /**
   * How far a stored f32 value may lie from an exact one: it carries the rounding of whatever code
   * made it, which grows with the condition of the case. More than this is a slip in the file.
   */
  private static final double F32_RECORD = 1e-3;

  /**
   * How far a result may lie from the stored one. In f32 a composition has LibTorch's rounding,
   * which differs with the convolutions of the machine: four of them under batch norm over two maps
   * gave 1.1e-5 with AVX2, where the publication's own f32 run was off by 4.6e-6.
   */
  static double tolerance(ScalarType dtype, boolean composition) {
    if (dtype == ScalarType.Double) {
      return 1e-10;
    }
    return composition ? 3e-5 : 1e-5;
  }

  /** Compares with the f64 values where a case has them, whatever the dtype. */
  static GoldenComparison of(GoldenCase golden, GoldenResult result, ScalarType dtype) {
    GoldenValue json = golden.json();
    boolean exact = json.has("out_f64");
    GoldenValue stored = json.get(exact || dtype == ScalarType.Double ? "out_f64" : "out_f32");
    double value = outputError(stored, result);
    String slip = null;
    if (exact && dtype != ScalarType.Double && json.has("out_f32")) {
      double error = outputError(json.get("out_f32"), result);
      if (!(error <= F32_RECORD)) {
        slip = "out_f32 is off by %.1e".formatted(error);
      }
    }
    return new GoldenComparison(
        value, json.has("grad") ? gradientError(golden, result) : null, slip);
  }

  private static double outputError(GoldenValue stored, GoldenResult result) {
    if (stored.members().isEmpty()) {
      throw stored.bad("is empty: there is nothing to compare with");
    }
    double worst = 0;
    for (String name : stored.members()) {
      double[] computed = result.outputs().get(name);
      if (computed == null) {
        throw new CaseFailureException(
            stored.key() + " holds \"" + name + "\", this op gives " + result.outputs().keySet());
      }
      Double term = result.terms().get(name);
      worst = larger(worst, outputError(stored.get(name), computed, term));
    }
    return worst;
  }

  private static double outputError(GoldenValue stored, double[] computed, @Nullable Double term) {
    if (stored.isObject()) {
      return tensorError(stored, new GoldenTensor(new long[] {computed.length}, computed));
    }
    double[] expected = stored.isList() ? stored.numbers() : new double[] {stored.number()};
    if (expected.length != computed.length) {
      throw stored.bad("has " + expected.length + " values, expected " + computed.length);
    }
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      worst = larger(worst, relative(computed[i], expected[i], term == null ? expected[i] : term));
    }
    return worst;
  }

  private static double gradientError(GoldenCase golden, GoldenResult result) {
    double worst = 0;
    for (String name : golden.json().get("grad").members()) {
      GoldenTensor computed = result.gradients().get(name);
      if (computed == null) {
        throw new CaseFailureException(
            "grad holds \"" + name + "\", this op gives " + result.gradients().keySet());
      }
      worst = larger(worst, tensorError(golden.json().get("grad").get(name), computed));
    }
    return worst;
  }

  /** Everything that is stored: all values, the first few, the two sums. */
  private static double tensorError(GoldenValue stored, GoldenTensor computed) {
    long[] shape = GoldenTensor.shapeOf(stored.get("shape"));
    if (!Arrays.equals(shape, computed.shape())) {
      throw stored
          .get("shape")
          .bad("is " + Arrays.toString(shape) + ", expected " + Arrays.toString(computed.shape()));
    }
    double[] values = computed.values();
    double worst = 0;
    for (String part : List.of("values", "first")) {
      if (stored.has(part)) {
        worst = larger(worst, entriesError(stored.get(part), values, part.equals("values")));
      }
    }
    if (stored.has("abs_sum")) {
      double size = stored.get("abs_sum").number();
      worst = larger(worst, relative(Arrays.stream(values).map(Math::abs).sum(), size, size));
      if (stored.has("sum")) {
        double sum = stored.get("sum").number();
        worst = larger(worst, relative(Arrays.stream(values).sum(), sum, size));
      }
    } else if (!stored.has("values")) {
      throw stored.bad("has neither values nor abs_sum");
    }
    return worst;
  }

  /** Relative to the largest entry of the tensor: small ones may be pure rounding. */
  private static double entriesError(GoldenValue stored, double[] values, boolean all) {
    double[] expected = stored.numbers();
    if (all ? expected.length != values.length : expected.length > values.length) {
      throw stored.bad("has " + expected.length + " entries, expected " + values.length);
    }
    double largest = largest(all ? expected : values);
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      worst = larger(worst, relative(values[i], expected[i], largest));
    }
    return worst;
  }

  private static double largest(double[] values) {
    double largest = 0;
    for (double value : values) {
      largest = larger(largest, Math.abs(value));
    }
    return largest;
  }

  /** |computed - expected| / |size|; the plain difference where the size is 0. */
  private static double relative(double computed, double expected, double size) {
    double difference = Math.abs(computed - expected);
    return size == 0 ? difference : difference / Math.abs(size);
  }

  /** The maximum, and NaN once there was one. */
  private static double larger(double one, double other) {
    return Math.max(one, other);
  }
}
