package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.structkd.train.StopSignal;
import picocli.CommandLine.Model.CommandSpec;
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

  /** Loads and checks everything that a command needs, and writes nothing. */
  @FunctionalInterface
  interface Preparation<S> {
    Work prepare(S settings, StopSignal stop) throws IOException;
  }

  /** What a command does in its folder. */
  @FunctionalInterface
  interface Work {
    void run(RunFolder folder) throws IOException;
  }

  /** Does the work of a command whose runs continue with the settings that they have. */
  <S> int execute(CommandSpec spec, S given, Class<S> type, Preparation<S> preparation)
      throws IOException {
    return execute(spec, () -> given, type, WITH_RESUME, settings -> settings, preparation);
  }

  /**
   * Does the work of a command, in a new folder or in that of the run to continue. A folder is made
   * or changed only after everything was prepared.
   *
   * @param given makes the settings of a new run
   * @param type of the settings
   * @param withResume names of the options that may be given with --resume
   * @param changes makes the settings to go on with out of those of the run
   */
  <S> int execute(
      CommandSpec spec,
      Supplier<S> given,
      Class<S> type,
      Set<String> withResume,
      UnaryOperator<S> changes,
      Preparation<S> preparation)
      throws IOException {
    try (StopSignal stop = StopSignal.onSignals()) {
      if (resume == null) {
        if (spec.commandLine().getParseResult().hasMatchedOption("--resume-changed")) {
          throw new CommandFailure(
              CommandFailure.BAD_INPUT, "--resume-changed goes with --resume DIR: which run?");
        }
        S settings = given.get();
        Work work = preparation.prepare(settings, stop);
        try (RunFolder folder = create(spec, settings)) {
          return run(work, folder, spec);
        }
      }
      ResumeOptions.requireAllowed(spec, withResume);
      try (RunFolder folder = RunFolder.open(resume)) {
        S before = folder.config(type);
        S settings = changes.apply(before);
        Work work = preparation.prepare(settings, stop);
        if (!settings.equals(before)) {
          folder.saveConfig(settings);
        }
        return run(work, folder, spec);
      }
    }
  }

  static Set<String> withResume() {
    return WITH_RESUME;
  }

  private static int run(Work work, RunFolder folder, CommandSpec spec) throws IOException {
    try {
      work.run(folder);
      return 0;
    } catch (TrainingRun.Stopped stopped) {
      return stopped.tell(spec, folder);
    }
  }

  /** Makes the folder of a new run. */
  private RunFolder create(CommandSpec spec, Object settings) throws IOException {
    String time = LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
    Path path = out == null ? Path.of("runs", spec.name() + "-" + time) : out;
    return RunFolder.create(path, settings);
  }
}
