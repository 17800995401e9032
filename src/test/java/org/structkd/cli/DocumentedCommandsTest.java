package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Commands in blocks of README.md and docs/ have the words and options that there are. */
class DocumentedCommandsTest {
  private static final Path OWN_DATA = Path.of("examples/own-data/run.sh");

  /** What the launcher does without Java's command line. */
  private static final Set<String> OF_THE_LAUNCHER =
      Set.of("bench", "example", "format", "help", "setup", "test");

  private static final Pattern BLOCK =
      Pattern.compile("^```\\w*\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
  private static final Pattern COMMAND =
      Pattern.compile("^ *(?:\\.|\\.\\./\\.\\.)/structkd +(.*)$", Pattern.MULTILINE);

  /** A word, or the comment that ends the line. */
  private static final Pattern WORD = Pattern.compile("(#.*)|((?:'[^']*'|\"[^\"]*\"|[^\\s'\"#])+)");

  private static List<String> commandsOf(Path page) throws IOException {
    List<String> commands = new ArrayList<>();
    Matcher blocks = BLOCK.matcher(Files.readString(page).replace("\\\n", " "));
    while (blocks.find()) {
      COMMAND
          .matcher(blocks.group(1))
          .results()
          .forEach(found -> commands.add(found.group(1).replaceAll(" +", " ")));
    }
    return commands;
  }

  static List<String> commands() throws IOException {
    List<Path> pages = new ArrayList<>(List.of(Path.of("README.md")));
    try (Stream<Path> docs = Files.walk(Path.of("docs"))) {
      docs.filter(file -> file.toString().endsWith(".md")).sorted().forEach(pages::add);
    }
    List<String> commands = new ArrayList<>();
    for (Path page : pages) {
      for (String command : commandsOf(page)) {
        if (!OF_THE_LAUNCHER.contains(words(command)[0])) {
          commands.add(command);
        }
      }
    }
    assertFalse(commands.isEmpty(), "no page has a command");
    return commands;
  }

  private static String[] words(String command) {
    return WORD.matcher(command)
        .results()
        .takeWhile(word -> word.group(1) == null)
        .map(word -> word.group(2).replaceAll("['\"]", ""))
        .toArray(String[]::new);
  }

  @ParameterizedTest
  @MethodSource("commands")
  void commandsHaveTheseOptions(String command) {
    assertDoesNotThrow(() -> Main.commandLine().parseArgs(words(command)));
  }

  /** The tutorial shows what ./structkd test runs with few steps. */
  @Test
  void commandsOnOnesOwnDataAreThoseOfTheExample() throws IOException {
    String script = Files.readString(OWN_DATA).replace("\\\n", " ").replaceAll(" +", " ");
    List<String> shown =
        commandsOf(Path.of("docs/tutorial.md")).stream()
            .filter(command -> command.contains("landscapes.yaml") || command.contains("target/"))
            .toList();
    assertFalse(shown.isEmpty(), "docs/tutorial.md shows no command of " + OWN_DATA);
    for (String command : shown) {
      assertTrue(script.contains("\nstructkd " + command), command + " is not in " + OWN_DATA);
    }
  }
}
