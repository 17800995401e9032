package com.example.distill;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** What the command line says. */
record Options(
    int teacherSteps, int steps, int teacherWidth, int studentWidth, long seed, int threads) {
  /** A command line that makes no sense; the message is a sentence for the user. */
  static final class Mistake extends RuntimeException {
    private static final long serialVersionUID = 1;

    Mistake(String sentence) {
      super(sentence);
    }
  }

  /** What --help prints: a file, which the launcher can show before anything is built. */
  static String help() {
    try (InputStream in = Options.class.getResourceAsStream("help.txt")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Options defaults() {
    return new Options(2000, 1500, 24, 6, 1, 2);
  }

  /**
   * Reads --name=value or --name value, the last one counts.
   *
   * @throws Mistake if it makes no sense
   */
  static Options parse(String[] arguments) {
    Options options = defaults();
    Deque<String> rest = new ArrayDeque<>(List.of(arguments));
    while (!rest.isEmpty()) {
      String[] parts = rest.pop().split("=", 2);
      options = options.with(parts[0], parts.length == 2 ? parts[1] : rest.poll());
    }
    return options;
  }

  private Options with(String name, String value) {
    return switch (name) {
      case "--teacher-steps" ->
          new Options(
              number(name, value, 1_000_000), steps, teacherWidth, studentWidth, seed, threads);
      case "--steps" ->
          new Options(
              teacherSteps,
              number(name, value, 1_000_000),
              teacherWidth,
              studentWidth,
              seed,
              threads);
      case "--teacher-width" ->
          new Options(teacherSteps, steps, number(name, value, 256), studentWidth, seed, threads);
      case "--student-width" ->
          new Options(teacherSteps, steps, teacherWidth, number(name, value, 256), seed, threads);
      case "--seed" ->
          new Options(
              teacherSteps,
              steps,
              teacherWidth,
              studentWidth,
              number(name, value, Integer.MAX_VALUE),
              threads);
      case "--threads" ->
          new Options(
              teacherSteps, steps, teacherWidth, studentWidth, seed, number(name, value, 256));
      default -> throw new Mistake("unknown option " + name + "; --help lists all");
    };
  }

  private static int number(String name, String value, int greatest) {
    try {
      int number = Integer.parseInt(String.valueOf(value));
      if (number >= 1 && number <= greatest) {
        return number;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new Mistake(
        name
            + " needs a whole number from 1 to "
            + greatest
            + " but got "
            + (value == null ? "nothing" : "\"" + value + "\""));
  }
}
