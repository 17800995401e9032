package org.structkd.cli;

import org.structkd.StructkdException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Entry point of the command line. */
@Command(
    name = "structkd",
    description = "Losses of structural knowledge distillation.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {Doctor.class, VerifyGolden.class})
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  /** The whole command line; sentences instead of stack traces for what is no defect. */
  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler(
            (error, command, parsed) -> {
              if (!(error instanceof StructkdException)) {
                throw error;
              }
              command.getErr().println("structkd: " + error.getMessage());
              return 1;
            });
  }
}
