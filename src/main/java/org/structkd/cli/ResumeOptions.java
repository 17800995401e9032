package org.structkd.cli;

import java.util.HashSet;
import java.util.Set;
import org.structkd.train.Resume;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

/** What may be changed in a run that continues. */
final class ResumeOptions {
  private static final String CHANGED = "--resume-changed";

  /** Options that make another network, folder or columns of the log: nothing could continue. */
  private static final Set<String> NEVER =
      Set.of("--out", "--width", "--student-width", "--method");

  @Option(
      names = CHANGED,
      description =
          "With --resume: options of the training given beside replace those of the run, although"
              + " its steps so far were others. Without it only --steps may grow.")
  private boolean changed;

  /** What trainings of the run accept. That steps only grow is checked with the settings. */
  Resume resume() {
    return changed ? Resume.CHANGED : Resume.LONGER;
  }

  /** Names of the options that may be given with --resume. */
  Set<String> allowed(CommandSpec spec) {
    Set<String> allowed = new HashSet<>(RunOptions.withResume());
    allowed.add("--steps");
    if (changed) {
      spec.options().forEach(option -> allowed.add(option.longestName()));
      allowed.removeAll(NEVER);
    }
    return allowed;
  }

  /** The settings of a run, with those replaced whose options were given. */
  <S extends Record> S merged(CommandSpec spec, S before, S given) {
    Set<String> replaced = new HashSet<>();
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      if (!RunOptions.withResume().contains(option.longestName())) {
        replaced.add(component(option.longestName()));
      }
    }
    return RunFolder.merged(before, given, replaced);
  }

  /** "studentWidth" of "--student-width". */
  private static String component(String option) {
    StringBuilder name = new StringBuilder();
    for (String part : option.substring(2).split("-")) {
      name.append(
          name.length() == 0 ? part : Character.toUpperCase(part.charAt(0)) + part.substring(1));
    }
    return name.toString();
  }

  static void requireMoreSteps(long steps, long before) {
    if (steps < before) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT,
          "--steps is " + steps + " but the run has " + before + ": it may only become longer");
    }
  }

  /** Refuses options that cannot be given with --resume. */
  static void requireAllowed(CommandSpec spec, Set<String> allowed) {
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      String name = option.longestName();
      if (!allowed.contains(name)) {
        boolean changeable = spec.findOption(CHANGED) != null && !NEVER.contains(name);
        throw new CommandFailure(
            CommandFailure.BAD_INPUT,
            name
                + " cannot be given with --resume: the run goes on with the settings that it has"
                + (changeable ? "; add " + CHANGED + " to change them" : ""));
      }
    }
  }
}
