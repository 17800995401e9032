package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.GlobalStructuralLoss.Reduction;
import org.structkd.loss.GlobalStructuralLoss.Remainder;
import org.structkd.loss.GlobalStructuralLoss.Shuffle;
import org.structkd.loss.Sampling.Draw;
import org.structkd.testing.Tensors;

/**
 * Values of the released code (MaryAhn/GSKD 641ddeb, its comparison of gathered rows) and of
 * restatements of its variants and of the whole loss with features read correctly.
 */
@Tag("emulated")
class GlobalStructuralGoldenTest {
  private PointerScope scope;
  private String before;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
    before = use("cpu");
  }

  @AfterEach
  void closeScope() {
    use(before);
    scope.close();
  }

  private static String use(String backend) {
    return NativeCall.of(() -> NativeOps.useBackend(backend));
  }

  /** pi_i(j) = (c_i j + i) mod M, c_i cycling through the numbers coprime to M. */
  private static Tensor formulaPermutation(int m) {
    List<Integer> coprime = new ArrayList<>();
    for (int k = 1; k < m; k++) {
      if (gcd(k, m) == 1) {
        coprime.add(k);
      }
    }
    int[] table = new int[m * m];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < m; j++) {
        table[i * m + j] = (coprime.get(i % coprime.size()) * j + i) % m;
      }
    }
    return Tensor.create(table, m, m);
  }

  private static int gcd(int a, int b) {
    return b == 0 ? a : gcd(b, a % b);
  }

  private static ScalarType dtype(String name) {
    return name.equals("f32") ? ScalarType.Float : ScalarType.Double;
  }

  private static double tolerance(String dtype) {
    return dtype.equals("f32") ? 1e-5 : 1e-10;
  }

  // Three classes of four rows, not of unit length. Gradient: sum, sum of magnitudes, first
  // entries.
  @ParameterizedTest
  @CsvSource({
    "-1, 1, DIV_L, ROW_INDEPENDENT, 0.04850654733314741, 0.019671210332787997, 0.1476971898583691, 0.0013005486387767276",
    "-1, 4, DIV_L, ROW_INDEPENDENT, 0.06888175203758601, 0.02393618232117363, 0.19822794418355422, 0.0026163848347477165",
    "5, 1, DIV_L, ROW_INDEPENDENT, 0.08736628305731983, 0.013635765082212925, 0.24759023813538564, 0.004291033195801355",
    "0, 1, DIV_L, ROW_INDEPENDENT, 1.491013217505584, 0.5399530560868643, 4.465813824283853, 0.05538561506801511",
    "3, 1, SUM, ROW_INDEPENDENT, 1.7462357039933072, , , ",
    "3, 1, SUM, NONE, 1.5806026446449692, , , "
  })
  void gatheredRows(
      long groupWidth,
      double temperature,
      Reduction reduction,
      Shuffle shuffle,
      double expected,
      Double gradSum,
      Double gradAbsSum,
      Double gradFirst) {
    GlobalStructuralLoss loss =
        GlobalStructuralLoss.authorsReleased()
            .withGroupWidth(groupWidth)
            .withTemperature(temperature)
            .withReduction(reduction)
            .withShuffle(shuffle);
    for (String backend : new String[] {"reference", "cpu"}) {
      for (String dtype : new String[] {"f64", "f32"}) {
        use(backend);
        Tensor student = Tensors.leaf(Tensors.sine(1.0, 0.7, 0.3, 0, 1, 12, 5), dtype(dtype));
        Tensor teacher = Tensors.sine(1.2, 1.3, 1.1, 0, 1, 12, 5).to(dtype(dtype));
        Tensor value = loss.forwardRows(student, teacher, 3, formulaPermutation(12), 0);
        String what = backend + " " + dtype;
        assertEquals(expected, value.item_double(), tolerance(dtype) * expected, what);
        if (gradSum == null) {
          continue;
        }
        value.backward();
        double[] gradient = Tensors.values(student.grad());
        double sum = 0;
        double absSum = 0;
        for (double g : gradient) {
          sum += g;
          absSum += Math.abs(g);
        }
        assertEquals(gradSum, sum, tolerance(dtype) * gradAbsSum, what);
        assertEquals(gradAbsSum, absSum, tolerance(dtype) * gradAbsSum, what);
        assertEquals(gradFirst, gradient[0], tolerance(dtype) * gradAbsSum, what);
      }
    }
  }

  private static final int[] LABELS = {
    0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 1, //
    1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0
  };

  private static final int[] TEACHER_WITH_ERRORS = {
    1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 1, //
    2, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0
  };

  // Sampling and comparison together; in place of random draws the first pixels in raster order.
  @ParameterizedTest
  @CsvSource({
    "false, 0.008901688881182784, 0.008766386704665074",
    "true, 0.009122106014995683, 0.009088916779503003"
  })
  void wholeLoss(boolean teacherErrs, double first, double second) {
    GlobalStructuralLoss loss =
        GlobalStructuralLoss.standard()
            .withSampling(Sampling.standard().withSamples(4).withDraw(Draw.RASTER))
            .withReduction(Reduction.DIV_L)
            .withRemainder(Remainder.ADDED);
    for (String backend : new String[] {"reference", "cpu"}) {
      for (String dtype : new String[] {"f64", "f32"}) {
        use(backend);
        Tensor student = Tensors.sine(1.0, 0.37, 0.2, 0, 2, 6, 4, 6).to(dtype(dtype));
        Tensor teacher = Tensors.sine(1.5, 0.61, 0.9, 0, 2, 6, 4, 6).to(dtype(dtype));
        Tensor labels = Tensor.create(LABELS, 2, 4, 6);
        Tensor classes = Tensor.create(teacherErrs ? TEACHER_WITH_ERRORS : LABELS, 2, 4, 6);
        Tensor logits =
            torch.one_hot(classes.to(ScalarType.Long), 3).permute(0, 3, 1, 2).to(ScalarType.Float);
        double[] expected = {first, second};
        double sum = 0;
        for (int b = 0; b < 2; b++) {
          Tensor t = teacher.narrow(0, b, 1);
          GlobalStructuralSamples samples =
              loss.sample(t, logits.narrow(0, b, 1), labels.narrow(0, b, 1), 0);
          int m = (int) samples.counts().narrow(1, 0, 1).item_long();
          Tensor value =
              loss.forwardAt(student.narrow(0, b, 1), t, samples, formulaPermutation(m), 0);
          double error = tolerance(dtype) * expected[b];
          assertEquals(expected[b], value.item_double(), error, backend + " " + dtype);
          sum += value.item_double();
        }
        GlobalStructuralSamples batch = loss.sample(teacher, logits, labels, 0);
        Tensor mean = loss.forwardAt(student, teacher, batch, formulaPermutation(12), 0);
        assertEquals(sum / 2, mean.item_double(), tolerance(dtype) * sum);
      }
    }
  }
}
