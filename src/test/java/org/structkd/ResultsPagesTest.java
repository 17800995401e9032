package org.structkd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.recipe.Recipes;

/** Pages of results: the index has each of them, and each tells the command that writes it. */
class ResultsPagesTest {
  private static final Path FOLDER = Path.of("docs/results");
  private static final Path INDEX = FOLDER.resolve("README.md");
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(?:#[^)]*)?\\)");
  private static final Pattern COMMAND =
      Pattern.compile("^```\\n\\./structkd compare (.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);

  private static Set<String> files(String ending) throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(ending))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  static Set<String> pages() throws IOException {
    Set<String> pages = files(".md");
    pages.remove(INDEX.getFileName().toString());
    assertFalse(pages.isEmpty(), FOLDER + " has no page");
    return pages;
  }

  private static List<String> links(String text) {
    return LINK.matcher(text).results().map(link -> link.group(1)).toList();
  }

  @ParameterizedTest
  @MethodSource("pages")
  void theIndexHasOneRowOfEachPage(String page) throws IOException {
    assertEquals(
        1,
        Files.readAllLines(INDEX).stream()
            .filter(line -> line.startsWith("| ") && line.contains("](" + page + ")"))
            .count());
  }

  @Test
  void linksOfTheIndexLeadToFiles() throws IOException {
    for (String target : links(Files.readString(INDEX))) {
      assertTrue(Files.exists(FOLDER.resolve(target)), INDEX + " links to " + target);
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void aPageTellsTheCommandThatWritesIt(String page) throws IOException {
    Matcher command = COMMAND.matcher(Files.readString(FOLDER.resolve(page)));
    assertTrue(command.find(), page + " has no command");
    String text = command.group(1).replaceAll("\\\\?\\s+", " ");
    assertTrue((text + " ").contains("--document " + FOLDER.resolve(page) + " "), text);
    for (String word : text.split(" -", 2)[0].split(" ")) {
      assertTrue(Recipes.names().contains(word), page + " compares " + word + ", no recipe");
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void aPageShowsItsPicture(String page) throws IOException {
    String picture = page.replaceFirst("md$", "png");
    assertTrue(links(Files.readString(FOLDER.resolve(page))).contains(picture), page);
    assertNotNull(ImageIO.read(FOLDER.resolve(picture).toFile()), picture);
  }

  @Test
  void noPictureIsLeftWithoutItsPage() throws IOException {
    for (String picture : files(".png")) {
      assertTrue(pages().contains(picture.replaceFirst("png$", "md")), picture);
    }
  }
}
