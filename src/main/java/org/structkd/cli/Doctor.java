package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.train.Environment;
import org.structkd.verify.SelfCheck;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Says what this installation consists of and whether it works. */
@Command(
    name = "doctor",
    description = {
      "Print what this installation consists of, and check that it works.",
      "",
      "Each loss is computed on small maps and compared with its reference.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:every check passed",
      "1:native code cannot be loaded, or a check failed",
      "2:the command line is wrong"
    })
final class Doctor implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    line("JDK", System.getProperty("java.vm.name") + " " + Runtime.version());
    line("JavaCPP", versionOf("javacpp"));
    line("LibTorch", versionOf("pytorch") + " (LibTorch, then preset)");
    line("platform", Loader.getPlatform());
    line("processor", Environment.processor() + ", " + vectors());
    try {
      line("structkd", NativeCall.of(NativeOps::version));
      tellBackends();
      tellResources();
      Machine.loadedLibraries().forEach(file -> line("library", file));
      return checkLosses() ? 0 : 1;
    } catch (StructkdException e) {
      line("FAIL", e.getMessage());
      return 1;
    }
  }

  private void tellBackends() {
    List<String> backends = List.of(NativeCall.of(NativeOps::backendNames).split(","));
    for (String name : backends) {
      String description = NativeCall.of(() -> NativeOps.backendDescription(name));
      line(
          "backend",
          name
              + ": "
              + description
              + (name.equals("cpu")
                  ? " (STRUCTKD_ISA=avx512, avx2 or baseline in the environment forces another)"
                  : ""));
    }
    line("GPU", gpu());
  }

  /** One sentence: CUDA tensors can be used, or why not. */
  private static String gpu() {
    String problem = NativeCall.of(NativeOps::cudaProblem);
    if (problem.isEmpty()) {
      return "CUDA tensors can be used";
    }
    return problem + (Machine.hasNvidiaDriver() ? "; a driver of NVIDIA is loaded" : "");
  }

  private void tellResources() {
    line(
        "threads",
        NativeCall.of(torch::get_num_threads)
            + " for LibTorch and the kernels, "
            + Runtime.getRuntime().availableProcessors()
            + " processors (OMP_NUM_THREADS in the environment sets another number)");
    line(
        "pool",
        "at most "
            + (NativeCall.of(NativeOps::poolMaxIdleBytes) >> 20)
            + " MB of idle native memory are kept for the next call");
  }

  private boolean checkLosses() {
    boolean passed = true;
    for (SelfCheck check : SelfCheck.ALL) {
      String outcome;
      try {
        SelfCheck.Outcome found = check.run();
        passed &= found.passed();
        outcome =
            "%-4s  error %.1e of at most %.0e  (%s)"
                .formatted(
                    found.passed() ? "OK" : "FAIL",
                    found.error(),
                    SelfCheck.TOLERANCE,
                    found.plan());
      } catch (StructkdException e) {
        passed = false;
        outcome = "FAIL  " + e.getMessage();
      }
      line("check", "%-38s ".formatted(check.name()) + outcome);
    }
    return passed;
  }

  private static String vectors() {
    List<String> features = Machine.features();
    return features.isEmpty() ? "no AVX2" : String.join(" ", features);
  }

  private static String versionOf(String artifact) {
    try {
      String version = Loader.getVersion("org.bytedeco", artifact);
      return version == null ? "unknown version" : version;
    } catch (IOException e) {
      return "unknown version";
    }
  }

  private void line(String topic, String text) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%-10s %s%n", topic, text);
    out.flush();
  }
}
