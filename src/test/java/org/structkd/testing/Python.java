package org.structkd.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Scripts of the tests, run by the interpreter that the variable PYTHON names, else python3. */
public final class Python {
  /** The interpreter. */
  public static final String INTERPRETER = System.getenv().getOrDefault("PYTHON", "python3");

  private Python() {}

  /**
   * {@return whether the interpreter has packages}
   *
   * @param condition an expression of {@code f}, which finds a package by its name
   */
  public static boolean has(String condition) throws InterruptedException {
    String look =
        "from importlib.util import find_spec as f; import sys; sys.exit(not (" + condition + "))";
    try {
      return new ProcessBuilder(INTERPRETER, "-c", look).start().waitFor() == 0;
    } catch (IOException e) {
      return false; // there is no such program
    }
  }

  /**
   * {@return the lines that a script prints, which must succeed}
   *
   * @param script its name in src/test/python
   */
  public static List<String> lines(String script, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(INTERPRETER, "src/test/python/" + script));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), output);
    return output.lines().toList();
  }
}
