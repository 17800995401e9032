package org.structkd.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.Words;
import org.structkd.verify.Backend;
import org.structkd.verify.BadGoldenFileException;
import org.structkd.verify.GoldenFile;
import org.structkd.verify.GoldenRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Checks the losses against stored values. */
@Command(
    name = "verify-golden",
    description = {
      "Check the losses against values that are stored in a file.",
      "",
      "Prints a line for each case and element type with the relative errors of value and gradient,"
          + " and last how many lines passed, failed and were skipped. Allowed are 1e-10 in f64"
          + " and 1e-5 in f32, or 3e-5 for a composition, which rounds as LibTorch does. A case is"
          + " skipped if it names no op, one that --op leaves out, or a loss that takes more than"
          + " such files hold, which is said; an op or an option that this version does not know is"
          + " a failure.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:no case failed",
      "1:a case failed",
      "2:the command line is wrong, the file cannot be read, or the backend is not available"
    })
final class VerifyGolden implements Callable<Integer> {
  /** Values of --dtype. */
  enum Dtype {
    F32(ScalarType.Float),
    F64(ScalarType.Double);

    private final ScalarType type;

    Dtype(ScalarType type) {
      this.type = type;
    }

    @Override
    public String toString() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      description = "Golden numbers as JSON; the schema is in src/test/resources/golden/README.md.")
  private Path file;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      defaultValue = "cpu",
      description =
          "Where kernels run: ${COMPLETION-CANDIDATES}. Ignored, and said so, where a loss is"
              + " composed of LibTorch operators. Default: ${DEFAULT-VALUE}. The inputs of cuda are"
              + " CUDA tensors; cuda-emulated runs the CUDA kernels on the CPU, by a library that"
              + " only the build of a checkout has; composed takes LibTorch operators for all.")
  private Backend backend;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Element type of the inputs: ${COMPLETION-CANDIDATES}. Default: both, in turn.")
  private @Nullable Dtype dtype;

  @Option(
      names = "--op",
      paramLabel = "OP",
      split = ",",
      description =
          "Run only cases of these ops, separated by commas. Default: all, so that a file with ops"
              + " that this version does not have fails.")
  private Set<String> ops = new TreeSet<>();

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    requireKnownOps();
    List<ScalarType> dtypes =
        dtype == null ? List.of(ScalarType.Float, ScalarType.Double) : List.of(dtype.type);
    GoldenRun run = new GoldenRun(backend, dtypes, ops, out::println);
    try {
      GoldenRun.Counts counts = run.run(GoldenFile.read(file));
      out.printf(
          "%d passed, %d failed, %d skipped%n", counts.passed(), counts.failed(), counts.skipped());
      out.flush();
      return counts.failed() == 0 ? 0 : 1;
    } catch (BadGoldenFileException | StructkdException e) {
      out.flush();
      err.println("structkd: " + e.getMessage());
      err.flush();
      return 2;
    }
  }

  private void requireKnownOps() {
    for (String op : ops) {
      if (!GoldenRun.OPS.contains(op)) {
        throw new ParameterException(
            spec.commandLine(),
            "--op: there is no op \"%s\", there are: %s"
                .formatted(op, Words.listNearest(op, GoldenRun.OPS)));
      }
    }
  }
}
