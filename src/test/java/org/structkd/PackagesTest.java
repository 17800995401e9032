package org.structkd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What users of the library meet in every package. */
class PackagesTest {
  private static final Path MAIN = Path.of("src/main/java");

  /** Packages that are no part of the library, as the Javadoc has them. */
  private static final Set<String> NOT_THE_LIBRARY =
      Set.of(
          "org.structkd.cli", "org.structkd.internal", "org.structkd.run", "org.structkd.verify");

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(MAIN.resolve("org"))) {
      return files.filter(file -> file.toString().endsWith(".java")).toList();
    }
  }

  private static String packageOf(Path file) {
    return MAIN.relativize(file.getParent()).toString().replace('/', '.');
  }

  private static Set<String> packages() throws IOException {
    return sources().stream().map(PackagesTest::packageOf).collect(Collectors.toSet());
  }

  /** Where nothing is said, a type of a signature is never null. */
  @Test
  void everyPackageIsNullMarked() throws IOException {
    for (String name : packages()) {
      Path info = MAIN.resolve(name.replace('.', '/')).resolve("package-info.java");
      assertTrue(Files.exists(info), info + " is missing");
      assertTrue(Files.readString(info).contains("@NullMarked\npackage " + name + ";"), name);
    }
  }

  @Test
  void theModuleExportsTheLibraryAndNothingElse() throws IOException {
    Set<String> exported =
        Pattern.compile("^  exports ([\\w.]+);$", Pattern.MULTILINE)
            .matcher(Files.readString(MAIN.resolve("module-info.java")))
            .results()
            .map(found -> found.group(1))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> library = new TreeSet<>(packages());
    library.removeAll(NOT_THE_LIBRARY);
    assertEquals(library, exported);
  }

  /** What a library has to tell goes through SLF4J; only commands write to the terminal. */
  @Test
  void onlyCommandsPrint() throws IOException {
    Pattern printing = Pattern.compile("System\\.(out|err)\\b|printStackTrace\\(\\)");
    for (Path file : sources()) {
      boolean prints = printing.matcher(Files.readString(file)).find();
      assertTrue(!prints || packageOf(file).equals("org.structkd.cli"), file + " prints");
    }
  }
}
