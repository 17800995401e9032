package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeInputs;

/** What no loss can take, in any of its arguments, and what its sentence about it says. */
final class RefusedInputs {
  private RefusedInputs() {}

  /** One of the maps of a loss's inputs. */
  private enum Side {
    STUDENT,
    TEACHER,
    LABELS;

    Map<String, Tensor> of(LossInputs in) {
      return switch (this) {
        case STUDENT -> in.student();
        case TEACHER -> in.teacher();
        case LABELS -> in.targets();
      };
    }

    LossInputs with(LossInputs in, Map<String, Tensor> tensors) {
      return MadeInputs.with(
          in,
          this == STUDENT ? tensors : in.student(),
          this == TEACHER ? tensors : in.teacher(),
          this == LABELS ? tensors : in.targets());
    }
  }

  static void check(LossUnderTest loss) {
    LossInputs good = loss.inputs(ScalarType.Float);
    double expected = loss.forward(good).item_double();
    for (Side side : new Side[] {Side.STUDENT, Side.TEACHER}) {
      for (String role : side.of(good).keySet()) {
        checkOutput(new Argument(loss, good, side, role));
      }
    }
    if (loss.loss().needs().targets().contains(LossInputs.LABELS)) {
      Argument labels = new Argument(loss, good, Side.LABELS, LossInputs.LABELS);
      labels.refused("closed", given -> closed(given));
      labels.refused("batch", given -> given.narrow(0, 0, 1), "[1");
      labels.refused("type", given -> given.to(ScalarType.Double), "Double");
      labels.refused("rank", given -> given.unsqueeze(0), "[1, ");
      labels.refused("device", given -> elsewhere(given), "meta");
    }
    assertTrue(expected == loss.forward(good).item_double(), "after refusals it is another value");
  }

  private static void checkOutput(Argument output) {
    output.refused("closed", given -> closed(given), "closed");
    output.refused("undefined", given -> new Tensor(), "undefined");
    output.refused("rank", given -> torch.zeros(1, 2, 4, 3, 5), "[1, 2, 4, 3, 5]");
    output.refused("rank", given -> torch.zeros(1), "[1]");
    output.refused("empty", given -> given.narrow(0, 0, 0), "[0, ");
    output.refused("batch", given -> torch.cat(new TensorVector(given, given), 0), "[");
    output.refused("device", RefusedInputs::elsewhere, "meta");
    for (ScalarType type : new ScalarType[] {ScalarType.Int, ScalarType.Long, ScalarType.Bool}) {
      output.refused("type", given -> given.to(type), type.toString());
    }
    output.refused("layout", Tensor::to_sparse, "Sparse");
    output.refused("layout", Tensor::to_mkldnn, "Mkldnn");
    output.refused("layout", given -> torch.as_nested_tensor(new TensorVector(given)), "nested");
    output.refused(
        "layout",
        given -> torch.quantize_per_tensor(given, 0.1, 0, ScalarType.QInt8),
        "is quantized");
    output.refused("type", given -> given.to(ScalarType.ComplexFloat).conj(), "ComplexFloat");
  }

  private static Tensor closed(Tensor given) {
    Tensor closed = given.clone();
    closed.close();
    return closed;
  }

  /** On the only other device that every machine has. */
  private static Tensor elsewhere(Tensor given) {
    return given.to(new Device(DeviceType.Meta), given.scalar_type().intern());
  }

  /** A tensor that a loss gets, and how it is called. */
  private record Argument(LossUnderTest loss, LossInputs good, Side side, String role) {
    void refused(String what, UnaryOperator<Tensor> worsen, String... words) {
      Map<String, Tensor> tensors = new HashMap<>(side.of(good));
      tensors.put(role, worsen.apply(tensors.get(role)));
      String said = refusal(() -> loss.forward(side.with(good, tensors)));
      String context = side + " " + role + ", " + what + ": " + said;
      requireName(loss, said);
      String lower = said.toLowerCase(Locale.ROOT);
      assertTrue(
          lower.contains(side.name().toLowerCase(Locale.ROOT)) || lower.contains(role), context);
      for (String word : words) {
        assertTrue(said.contains(word), context);
      }
    }
  }

  /** "pixel-wise loss: ..." is a sentence of pixelwise. */
  static void requireName(LossUnderTest loss, String sentence) {
    String start = sentence.split(":")[0].replaceAll("[^A-Za-z]", "").toLowerCase(Locale.ROOT);
    assertTrue(start.startsWith(loss.id().replace("_", "")), sentence);
    assertFalse(sentence.contains("\n"), sentence);
  }
}
