package org.structkd.verify;

import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.Words;

/** Runs the cases of a golden file on one backend, a line for each case and element type. */
public final class GoldenRun {
  /** Names of the ops of this version. */
  public static final Set<String> OPS = GoldenOp.ALL.keySet();

  /** How many lines ended in which way. */
  public record Counts(int passed, int failed, int skipped) {
    private Counts plus(Counts other) {
      return new Counts(passed + other.passed, failed + other.failed, skipped + other.skipped);
    }
  }

  private static final Counts PASSED = new Counts(1, 0, 0);
  private static final Counts FAILED = new Counts(0, 1, 0);
  private static final Counts SKIPPED = new Counts(0, 0, 1);

  private final Backend backend;
  private final List<ScalarType> dtypes;
  private final Set<String> selected;
  private final Consumer<String> lines;

  /**
   * Prepares a run.
   *
   * @param backend where kernels run
   * @param selected names of ops; empty: all
   * @param lines takes what is to be printed
   */
  public GoldenRun(
      Backend backend, List<ScalarType> dtypes, Set<String> selected, Consumer<String> lines) {
    this.backend = backend;
    this.dtypes = dtypes;
    this.selected = selected;
    this.lines = lines;
  }

  /**
   * Runs cases.
   *
   * @throws BadGoldenFileException at the first case that cannot be read
   * @throws StructkdException if native code or the backend is missing
   */
  public Counts run(List<GoldenCase> cases) {
    try (Backend.Use use = backend.use()) {
      Counts counts = new Counts(0, 0, 0);
      for (GoldenCase golden : cases) {
        counts = counts.plus(run(golden));
      }
      return counts;
    }
  }

  private Counts run(GoldenCase golden) {
    String op = golden.op();
    if (op == null) {
      return skip(golden, "documentation, it has no op");
    }
    if (!selected.isEmpty() && !selected.contains(op)) {
      return skip(golden, "op " + op + " is not selected");
    }
    GoldenOp.@Nullable Computation computation = null;
    String failure = null;
    try (PointerScope scope = new PointerScope()) {
      computation = opOf(op).prepare(golden);
    } catch (GoldenOp.SkippedException e) {
      return skip(golden, e.getMessage());
    } catch (CaseFailureException | IllegalArgumentException e) {
      failure = e.getMessage();
    }
    Counts counts = new Counts(0, 0, 0);
    for (ScalarType dtype : dtypes) {
      counts =
          counts.plus(
              computation == null ? fail(golden, dtype, failure) : run(golden, computation, dtype));
    }
    return counts;
  }

  private static GoldenOp opOf(String name) {
    GoldenOp op = GoldenOp.ALL.get(name);
    if (op == null) {
      throw new CaseFailureException(
          "this version has no op \"" + name + "\", it has: " + Words.listNearest(name, OPS));
    }
    return op;
  }

  private Counts run(GoldenCase golden, GoldenOp.Computation computation, ScalarType dtype) {
    GoldenResult result;
    GoldenComparison errors;
    try (PointerScope scope = new PointerScope()) {
      result = compute(golden, computation, dtype);
      errors = GoldenComparison.of(golden, result, dtype);
    } catch (CaseFailureException | StructkdException e) {
      return fail(golden, dtype, e.getMessage());
    }
    double tolerance = GoldenComparison.tolerance(dtype, result.composition());
    Double gradient = errors.gradient();
    boolean passed =
        errors.value() <= tolerance
            && (gradient == null || gradient <= tolerance)
            && errors.slip() == null;
    String sentence =
        "value %.1e  gradient %s"
            .formatted(errors.value(), gradient == null ? "-      " : "%.1e".formatted(gradient));
    if (!passed) {
      sentence += "  tolerance %.0e".formatted(tolerance);
    }
    if (errors.slip() != null) {
      sentence += "  " + errors.slip();
    }
    if (result.composition() && backend != Backend.COMPOSED) {
      sentence += "  (composition: the backend is ignored)";
    }
    line(passed ? "OK" : "FAIL", golden, dtype, sentence);
    return passed ? PASSED : FAILED;
  }

  /** Options were fine: what a loss refuses now is an input that does not fit. */
  private GoldenResult compute(
      GoldenCase golden, GoldenOp.Computation computation, ScalarType dtype) {
    try {
      return computation.compute(new Placement(dtype, backend.device()));
    } catch (IllegalArgumentException e) {
      throw golden.badInputs(e.getMessage());
    }
  }

  private Counts fail(GoldenCase golden, ScalarType dtype, @Nullable String sentence) {
    line("FAIL", golden, dtype, sentence == null ? "" : sentence);
    return FAILED;
  }

  private Counts skip(GoldenCase golden, String reason) {
    lines.accept("%-4s  %s  %s".formatted("SKIP", golden.name(), reason));
    return SKIPPED;
  }

  private void line(String verdict, GoldenCase golden, ScalarType dtype, String sentence) {
    lines.accept(
        "%-4s  %-38s %-23s %s  %s"
            .formatted(
                verdict,
                golden.name(),
                golden.op(),
                dtype == ScalarType.Double ? "f64" : "f32",
                sentence));
  }
}
