package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

/** Which run folder, and whether it is a new one. */
final class RunOptions {
  /** Options that may be given anew when a run continues. */
  private static final Set<String> WITH_RESUME =
      Set.of("--resume", "--threads", "--device", "--document");

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Run folder, new or empty. Default: runs/COMMAND-DATE-TIME.")
  private @Nullable Path out;

  @Option(
      names = "--resume",
      paramLabel = "DIR",
      description =
          "Continue the run in this folder, with its settings; options of the machine may be given"
              + " beside.")
  private @Nullable Path resume;

  boolean isResuming() {
    return resume != null;
  }

  /** Makes the folder of a new run. */
  RunFolder create(CommandSpec spec, Object settings) throws IOException {
    String time = LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
    Path path = out == null ? Path.of("runs", spec.name() + "-" + time) : out;
    return RunFolder.create(path, settings);
  }

  /** Opens the folder of the run to continue. */
  RunFolder open(CommandSpec spec) throws IOException {
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      if (!WITH_RESUME.contains(option.longestName())) {
        throw new CommandFailure(
            CommandFailure.BAD_INPUT,
            option.longestName()
                + " cannot be given with --resume: the run goes on with the settings that it has");
      }
    }
    return RunFolder.open(resume);
  }
}
