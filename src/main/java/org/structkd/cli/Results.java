package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Compares all losses under one budget. */
@Command(
    name = "results",
    description = {
      "Compare every loss and combination with the student alone, and write results.md.",
      "",
      "First the weight of each loss is chosen on validation scenes, then all methods are trained"
          + " with several seeds from the same initial weights and scored on test scenes, last the"
          + " time of a step is measured. Takes an hour or two of one core; may be stopped and"
          + " continued at any time.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the document was written",
      "1:native code or the disk failed, or a training diverged",
      "2:the command line, or a file or folder that it names, makes no sense",
      "130, 143:stopped by Ctrl-C or SIGTERM; the state is saved"
    })
final class Results implements Callable<Integer> {
  private static final int MAX_SEEDS = 100;

  /** Everything that the numbers depend on. */
  record Settings(long steps, int batch, double learningRate, int studentWidth, int seeds) {
    /** Refuses a file of another command: Gson leaves 0 what it does not find. */
    Settings {
      if (steps < 1 || batch < 1 || studentWidth < 1 || seeds < 2) {
        throw new IllegalArgumentException("steps, batch, studentWidth or seeds is missing");
      }
    }
  }

  @Spec private CommandSpec spec;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "400",
      description = "Steps of every training. Default: ${DEFAULT-VALUE}.")
  private long steps;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "5",
      description = "Seeds of the comparison, 2 to 100. Default: ${DEFAULT-VALUE}.")
  private int seeds;

  @Option(
      names = "--document",
      paramLabel = "FILE",
      description = "Document to write. Default: results.md in the run folder.")
  private @Nullable Path document;

  @Mixin private RunOptions runs;

  @Override
  public Integer call() throws IOException {
    Ranges.require("--steps", steps, 1, Ranges.MAX_STEPS);
    Ranges.require("--seeds", seeds, 2, MAX_SEEDS);
    // One thread: runs repeat on any machine of the kind, and CPU time of the thread is that of a
    // step, however busy the machine is.
    Device device = MachineOptions.oneThread();
    Settings given = new Settings(steps, 16, 0.01, 6, seeds); // as distill
    return runs.execute(
        spec,
        given,
        Settings.class,
        (settings, stop) -> {
          if (document != null) {
            requireWritable(document);
          }
          PrintWriter out = spec.commandLine().getOut();
          ResultsRun run = new ResultsRun(settings, out, stop, device);
          return folder ->
              run.run(folder, document == null ? folder.resolve("results.md") : document);
        });
  }

  /** An hour later it would be too late to say so. */
  private static void requireWritable(Path document) {
    Path folder = document.toAbsolutePath().getParent();
    if (folder == null || !Files.isWritable(folder) || Files.isDirectory(document)) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT,
          "--document: "
              + document
              + " cannot be written: "
              + (Files.isDirectory(document) ? "it is a folder" : "its folder is not writable"));
    }
  }
}
