package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/**
 * The outcome of a command.
 *
 * @param status exit status
 * @param out standard output
 * @param err standard error
 */
record Cli(int status, String out, String err) {
  static Cli run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine command = Main.commandLine();
    command.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = arguments[i].toString();
    }
    int status = command.execute(texts);
    return new Cli(status, out.toString(), err.toString());
  }

  /** The smallest run that does everything, with some options set otherwise or added. */
  static Cli distill(Path folder, Object... more) {
    List<Object> arguments = new ArrayList<>(List.of("distill", "--recipe", "kd"));
    arguments.addAll(List.of("--steps", 20, "--seeds", 1, "--threads", 1, "--out", folder));
    for (String value : List.of("data.batch=2", "data.test=20", "student.width=2")) {
      arguments.addAll(List.of("--set", value));
    }
    for (int i = 0; i < more.length; i += 2) {
      int given = arguments.indexOf(more[i]);
      if (given > 0 && !more[i].equals("--set")) {
        arguments.set(given + 1, more[i + 1]);
      } else {
        arguments.addAll(List.of(more[i], more[i + 1]));
      }
    }
    return run(arguments.toArray());
  }

  /** A command that is refused: the sentence with these parts stands last, and no stack. */
  void refused(String... parts) {
    assertEquals(2, status, out + err);
    for (String part : parts) {
      assertTrue(err.contains(part), err);
    }
    assertFalse(err.contains("\tat "), err);
    String last = err.strip().substring(err.strip().lastIndexOf('\n') + 1);
    assertTrue(last.startsWith("structkd: "), "the sentence stands last: " + err);
  }
}
