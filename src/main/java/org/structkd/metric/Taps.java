package org.structkd.metric;

import java.util.Arrays;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Named;

/** What a network put out, as a metric asks for it. */
final class Taps {
  private Taps() {}

  /**
   * {@return the output}
   *
   * @param metric as sentences begin
   * @param outputs by tap
   * @param tap the one that is judged
   */
  static Tensor output(String metric, Map<String, Tensor> outputs, String tap) {
    return Named.in(outputs, metric + ": the network", "tap", tap);
  }

  /** {@return the output, which has a shape, else it is refused; as above} */
  static Tensor output(String metric, Map<String, Tensor> outputs, String tap, long... expected) {
    Tensor output = output(metric, outputs, tap);
    requireShape(metric, tap, output, expected);
    return output;
  }

  /** Refuses an output of another shape. */
  static void requireShape(String metric, String tap, Tensor output, long... expected) {
    if (!Arrays.equals(output.shape(), expected)) {
      throw new IllegalArgumentException(
          "%s: tap \"%s\" is %s, expected %s"
              .formatted(metric, tap, Arrays.toString(output.shape()), Arrays.toString(expected)));
    }
  }
}
