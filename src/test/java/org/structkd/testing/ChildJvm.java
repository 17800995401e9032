package org.structkd.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** A JVM of its own: native code is loaded once per JVM, so each way of loading it needs one. */
public final class ChildJvm {
  private ChildJvm() {}

  /** {@return the lines that a class prints to stdout, started on a class path} */
  public static List<String> run(Class<?> main, String classPath, String... options)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(List.of(options));
    arguments.addAll(List.of("-cp", classPath, main.getName()));
    return run(main.getSimpleName(), 0, arguments);
  }

  /**
   * {@return the lines that java prints to stdout when it is given these arguments; stderr goes to
   * a log in target}
   */
  public static List<String> run(String log, int status, List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(arguments);
    Process child =
        new ProcessBuilder(command)
            .redirectError(new File("target/child-jvm-" + log + ".log"))
            .start();
    String out = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(status, child.waitFor(), out);
    return out.lines().toList();
  }

  /** {@return the command that starts a class with the tests' class path and a small heap} */
  public static List<String> command(Class<?> main, Collection<?> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx256m",
            "-Dorg.bytedeco.javacpp.maxbytes=0",
            "-Dorg.bytedeco.javacpp.maxphysicalbytes=0",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            main.getName()));
    arguments.forEach(argument -> command.add(argument.toString()));
    return command;
  }

  /** {@return the tests' class path with each entry replaced; what becomes "" is left out} */
  public static String classPath(UnaryOperator<String> entry) {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
        .map(entry)
        .filter(replaced -> !replaced.isEmpty())
        .collect(Collectors.joining(File.pathSeparator));
  }
}
