package org.structkd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.loss.Losses;
import org.structkd.recipe.Recipes;

/** CONTRIBUTING.md lists all files of a loss and of a recipe: they exist, and no other names it. */
class ContributingTest {
  private static final Path PAGE = Path.of("CONTRIBUTING.md");
  private static final Path LOSSES = Path.of("src/main/java/org/structkd/loss/Losses.java");

  static List<Losses.Entry> losses() {
    return Losses.all();
  }

  static List<Losses.Entry> compositions() {
    return Losses.all().stream().filter(e -> e.kind() == Losses.Kind.COMPOSITION).toList();
  }

  static List<Losses.Entry> kernels() {
    return Losses.all().stream().filter(e -> e.kind() == Losses.Kind.KERNEL).toList();
  }

  static List<String> recipes() {
    return Recipes.names();
  }

  /** Paths that the tables behind a title name, up to the next title. */
  private static List<String> listed(String title, int tables) throws IOException {
    List<String> paths = new ArrayList<>();
    int table = 0;
    boolean inSection = false;
    for (String line : Files.readAllLines(PAGE)) {
      if (line.startsWith("## ")) {
        inSection = line.equals("## " + title);
      } else if (inSection && line.startsWith("| file |")) {
        table++;
      } else if (inSection && table <= tables && line.startsWith("| ")) {
        Matcher path =
            Pattern.compile("`([\\w./<>{},*-]+/[\\w./<>{},*-]*)`").matcher(line.split(" \\| ")[0]);
        while (path.find()) {
          paths.add(path.group(1));
        }
      }
    }
    assertTrue(!paths.isEmpty(), title + " lists no file");
    return paths;
  }

  private static Stream<String> expanded(String path, Losses.Entry loss) {
    String name = loss.type().getSimpleName().replaceFirst("Loss$", "");
    String named = path.replace("<Loss>", name).replace("<loss>", loss.id());
    Matcher either = Pattern.compile("(.*)\\{(.*)\\}(.*)").matcher(named);
    return either.matches()
        ? Stream.of(either.group(2).split(",")).map(one -> either.group(1) + one + either.group(3))
        : Stream.of(named);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void everyListedFileOfALossExists(Losses.Entry loss) throws IOException {
    int tables = loss.kind() == Losses.Kind.KERNEL ? 2 : 1;
    for (String path : listed("How to add a loss", tables)) {
      if (!path.contains("*")) {
        expanded(path, loss)
            .forEach(file -> assertTrue(Files.exists(Path.of(file)), file + " is missing"));
      }
    }
  }

  /** Native code knows a loss by its own files, whose paths have its id, and by an include. */
  @ParameterizedTest
  @MethodSource("kernels")
  void noSharedFileOfNativeCodeNamesAKernelLoss(Losses.Entry loss) throws IOException {
    Pattern code = Pattern.compile("^[^/*#\n]*\\b" + loss.id() + "\\b", Pattern.MULTILINE);
    Set<Path> shared = new TreeSet<>(filesWith(code, Path.of("src/main/cpp")));
    shared.addAll(filesWith(code, Path.of("src/main/cuda")));
    shared.removeIf(file -> file.toString().contains(loss.id()));
    assertEquals(Set.of(), shared);
  }

  /** Another file of the library that names the class would be one more to edit. */
  @ParameterizedTest
  @MethodSource("compositions")
  void noOtherFileOfTheLibraryNamesAComposition(Losses.Entry loss) throws IOException {
    Pattern name =
        Pattern.compile(
            "^(?!\\s*(\\*|//)).*\\b" + loss.type().getSimpleName() + "\\b", Pattern.MULTILINE);
    Set<Path> expected = new TreeSet<>(Set.of(LOSSES));
    for (String path : listed("How to add a loss", 1)) {
      expanded(path, loss)
          .map(Path::of)
          .filter(p -> p.startsWith("src/main"))
          .forEach(expected::add);
    }
    Set<Path> found = filesWith(name, Path.of("src/main"));
    // What published cases store beside a value and its gradient may have a reader.
    found.removeIf(file -> file.toString().endsWith("Golden.java"));
    assertEquals(expected, found);
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void aRecipeIsItsFileAndARow(String recipe) throws IOException {
    for (String path : listed("How to add a recipe", 1)) {
      String file = path.replace("<name>", recipe);
      assertTrue(Files.exists(Path.of(file)), file + " is missing");
    }
    assertTrue(Files.readString(Path.of("docs/recipes.md")).contains("| `" + recipe + "` |"));
  }

  private static Set<Path> filesWith(Pattern pattern, Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files
          .filter(file -> file.toString().matches(".*\\.(java|cpp|h|cu|cuh|cmake|txt)"))
          .filter(file -> pattern.matcher(read(file)).find())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
