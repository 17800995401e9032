package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.Locale;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.structkd.StructkdException;
import org.structkd.data.DataFileException;
import org.structkd.data.Split;
import org.structkd.distributed.RankFailedException;
import org.structkd.objective.DivergedException;
import org.structkd.recipe.RecipeException;
import org.structkd.run.RunException;
import org.structkd.train.AtomicFile;
import org.structkd.verify.Backend;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Entry point of the command line. */
@Command(
    name = "structkd",
    description = "Structural knowledge distillation.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      Distill.class,
      RecipesCommand.class,
      DataCommand.class,
      CheckData.class,
      Inspect.class,
      Compare.class,
      Evaluate.class,
      Export.class,
      Predict.class,
      Doctor.class,
      VerifyGolden.class,
      GenerateCompletion.class
    })
public final class Main {
  private static final int FAILED = 1;

  /** The command line or something it names makes no sense. */
  private static final int BAD_INPUT = 2;

  private Main() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // numbers look the same everywhere
    System.setProperty("java.awt.headless", "true");
    // ImageIO's cache in a file needs a shutdown hook, which nobody can add any more to a run that
    // writes its pictures after Ctrl-C.
    ImageIO.setUseCache(false);
    // Warnings look like the other lines of a command. Read when the first logger is made.
    System.setProperty("org.slf4j.simpleLogger.showThreadName", "false");
    System.setProperty("org.slf4j.simpleLogger.showLogName", "false");
    System.exit(commandLine().execute(args));
  }

  /** The whole command line; sentences instead of stack traces for what is no defect. */
  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .registerConverter(Split.class, new Choice<>(Split.class))
        .registerConverter(Backend.class, new Choice<>(Backend.class))
        .registerConverter(VerifyGolden.Dtype.class, new Choice<>(VerifyGolden.Dtype.class))
        .setParameterExceptionHandler(Main::tellMistake)
        .setExecutionExceptionHandler(
            (error, command, parsed) -> {
              command.getOut().flush();
              Exception told = error instanceof UncheckedIOException e ? e.getCause() : error;
              command.getErr().println("structkd: " + sentenceOf(told));
              command.getErr().flush();
              return statusOf(told);
            });
  }

  /** The sentence stands last: a usage of many lines would push it off the screen. */
  private static int tellMistake(ParameterException mistake, String[] arguments) {
    CommandLine command = mistake.getCommandLine();
    PrintWriter err = command.getErr();
    command.usage(err);
    err.println();
    UnmatchedArgumentException.printSuggestions(mistake, err);
    String sentence = mistake.getMessage();
    if (mistake instanceof UnmatchedArgumentException unknown) {
      sentence =
          RetiredSpellings.sentence(command.getCommandSpec(), unknown.getUnmatched())
              .or(() -> meant(command.getCommandSpec(), unknown.getUnmatched().get(0)))
              .orElse(sentence);
    }
    err.println("structkd: " + sentence);
    err.flush();
    return command.getCommandSpec().exitCodeOnInvalidInput();
  }

  /** What to write where a recipe's name stands alone. */
  private static Optional<String> meant(CommandSpec spec, String word) {
    if (word.startsWith("-")) {
      return Optional.empty();
    }
    if (spec.subcommands().containsKey("show")) {
      return Optional.of(
          "%s has no command %s; %s show %s prints a recipe, %s check %s tries it"
              .formatted(spec.name(), word, spec.name(), word, spec.name(), word));
    }
    return spec.optionsMap().containsKey("--recipe")
        ? Optional.of(
            "%s does not take %s alone; a recipe is given by %s --recipe %s"
                .formatted(spec.name(), word, spec.name(), word))
        : Optional.empty();
  }

  /** Rethrows what is a defect. */
  private static String sentenceOf(Exception error) throws Exception {
    if (error instanceof FileSystemException file && file.getReason() == null) {
      return file.getFile() + ": " + AtomicFile.reason(file); // the message is the path alone
    }
    if (error instanceof StructkdException
        || error instanceof RunException
        || error instanceof RecipeException
        || error instanceof DivergedException
        || error instanceof RankFailedException
        || error instanceof IOException) {
      return error.getMessage();
    }
    throw error;
  }

  private static int statusOf(Exception error) {
    boolean refused =
        error instanceof DataFileException
            || error instanceof RecipeException
            || error instanceof RunException run && run.isRefused();
    return refused ? BAD_INPUT : FAILED;
  }
}
