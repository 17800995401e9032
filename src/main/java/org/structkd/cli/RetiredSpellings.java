package org.structkd.cli;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** What was spelled otherwise in earlier versions, and how it is spelled now. */
final class RetiredSpellings {
  private static final Map<String, String> COMMANDS =
      Map.of(
          "train-teacher", "distill --recipe fashion-teacher",
          "results", "compare RECIPE... --search PATH=VALUE,...");

  private static final Map<String, String> OPTIONS =
      Map.ofEntries(
          Map.entry("--method", "--recipe NAME; ./structkd recipes lists them"),
          Map.entry("--weights", "--set losses.TERM.weight=WEIGHT"),
          Map.entry("--labelled", "--set data.labelled=N"),
          Map.entry("--batch", "--set data.batch=N"),
          Map.entry("--test-scenes", "--set data.test=N"),
          Map.entry("--scenes", "--set data.SPLIT=N"),
          Map.entry("--data", "--set data.directory=DIR"),
          Map.entry("--width", "--set student.width=N"),
          Map.entry("--student-width", "--set student.width=N"),
          Map.entry("--learning-rate", "--set train.optimizer.rate=RATE"),
          Map.entry("--checkpoint-every", "--set train.checkpoint_every=N"),
          Map.entry("--teacher", "--set 'teacher={kind: file, file: FILE}'"));

  private RetiredSpellings() {}

  /**
   * The sentence for a command line that does not parse, if it is one of an earlier version.
   *
   * @param spec of the command
   * @param unknown what it does not know, in the order of the command line
   */
  static Optional<String> sentence(CommandSpec spec, List<String> unknown) {
    for (String word : unknown) {
      String name = word.split("=", 2)[0];
      @Nullable String now = (spec.parent() == null ? COMMANDS : OPTIONS).get(name);
      if (now != null) {
        return Optional.of(name + " is spelled otherwise now: " + now);
      }
    }
    return Optional.empty();
  }
}
