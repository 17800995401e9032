package org.structkd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The floors of docs/design.md: a file may name only what lies below it. */
class ArchitectureTest {
  private static final Path MAIN = Path.of("src/main");

  /** For each folder, the includes it may have: a regular expression over the whole name. */
  private static final Map<String, String> CPP =
      Map.of(
          "cpp/include/structkd", "structkd/.*|std(def|int)\\.h",
          "cpp/core", "core/.*|structkd/.*|" + Cpp.STANDARD,
          "cpp/reference", "reference/.*|core/.*|structkd/.*|" + Cpp.STANDARD,
          "cpp/cpu", "cpu/.*|core/.*|structkd/.*|omp\\.h|immintrin\\.h|" + Cpp.STANDARD,
          "cuda", "cuda/.*|core/.*|structkd/.*|cuda[^/]*\\.h|simt/.*|" + Cpp.STANDARD,
          "cpp/torch",
              "torch/.*|ATen/.*|c10/.*|structkd/.*|core/(backend|descriptor_groups|half|permutation|relational_terms)\\.h|"
                  + Cpp.STANDARD,
          "cpp/torch_cuda", "c10/.*|structkd/core\\.h|" + Cpp.STANDARD);

  /** For each package below org.structkd, the packages of ours that it may import. */
  private static final Map<String, String> JAVA =
      Map.ofEntries(
          Map.entry("", ""),
          Map.entry("internal", "internal|"),
          Map.entry("distributed", "distributed|internal|"),
          Map.entry("data", "data|internal|"),
          Map.entry("loss", "loss|internal|"),
          Map.entry("objective", "objective|loss|internal|"),
          Map.entry("model", "model|data|internal|"),
          Map.entry("metric", "metric|model|data|internal|"),
          Map.entry("optim", "optim|model|internal|"),
          Map.entry("compress", "compress|model|internal|"),
          Map.entry(
              "train",
              "train|distributed|compress|optim|metric|data|model|objective|loss|internal|"),
          Map.entry(
              "recipe", "recipe|train|compress|optim|metric|data|model|objective|loss|internal|"),
          Map.entry(
              "run",
              "run|distributed|recipe|train|compress|optim|metric|data|model|objective|loss|internal|"),
          Map.entry("verify", "verify|objective|loss|internal|"),
          Map.entry(
              "cli",
              "cli|distributed|verify|run|recipe|train|compress|optim|metric|data|model|objective|loss|internal|"));

  /** Libraries that only some packages may import: regular expressions of both. */
  private static final Map<String, String> LIBRARIES =
      Map.of(
          "picocli\\..*|me\\.tongfei\\..*", "cli",
          "org\\.knowm\\..*", "cli|run",
          "com\\.fasterxml\\.jackson\\..*", "model|recipe|run|verify",
          "org\\.bytedeco\\.javacpp\\.annotation\\..*", "internal");

  private static final class Cpp {
    static final String STANDARD = "[a-z_0-9]+(\\.h)?";
  }

  @Test
  void includesPointDownwards() throws IOException {
    Pattern include =
        Pattern.compile("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]", Pattern.MULTILINE);
    List<String> wrong = new ArrayList<>();
    int checked = 0;
    for (Map.Entry<String, String> floor : new TreeMap<>(CPP).entrySet()) {
      for (Path file : filesUnder(MAIN.resolve(floor.getKey()))) {
        Matcher found = include.matcher(Files.readString(file));
        while (found.find()) {
          checked++;
          if (!found.group(1).matches(floor.getValue())) {
            wrong.add(file + " includes " + found.group(1));
          }
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(checked > 0, "no include was checked: do the folders still have these names?");
  }

  @Test
  void importsPointDownwards() throws IOException {
    Pattern ours =
        Pattern.compile("^import (?:static )?org\\.structkd\\.([a-z]*)", Pattern.MULTILINE);
    List<String> wrong = new ArrayList<>();
    for (Path file : filesUnder(MAIN.resolve("java/org/structkd"))) {
      String floor = packageOf(file);
      String allowed = JAVA.get(floor);
      if (allowed == null) {
        wrong.add(file + " is in a package that has no floor: add it to this test");
        continue;
      }
      Matcher found = ours.matcher(Files.readString(file));
      while (found.find()) {
        if (!List.of(allowed.split("\\|", -1)).contains(found.group(1))) {
          wrong.add(file + " imports org.structkd." + found.group(1));
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void optionalLibrariesStayInTheirPackage() throws IOException {
    Pattern anyImport = Pattern.compile("^import (?:static )?([\\w.]+);", Pattern.MULTILINE);
    List<String> wrong = new ArrayList<>();
    for (Path file : filesUnder(MAIN.resolve("java/org/structkd"))) {
      Matcher found = anyImport.matcher(Files.readString(file));
      while (found.find()) {
        LIBRARIES.forEach(
            (library, owner) -> {
              if (found.group(1).matches(library) && !packageOf(file).matches(owner)) {
                wrong.add(file + " imports " + found.group(1) + ", for which there is " + owner);
              }
            });
      }
    }
    assertEquals(List.of(), wrong);
  }

  /**
   * A Java exception, such as an OutOfMemoryError, that crosses a frame of LibTorch ends the
   * process: no class of ours extends one of the presets, which is how they are called back.
   */
  @Test
  void nothingIsCalledBackFromNativeCode() throws IOException {
    Pattern imported =
        Pattern.compile("^import org\\.bytedeco\\.[\\w.]*?(\\w+);", Pattern.MULTILINE);
    Pattern extended =
        Pattern.compile("\\bextends ([\\w.]+)(?=[^>]*\\{)|\\bnew ([\\w.]+)\\([^;()]*\\) \\{");
    List<String> wrong = new ArrayList<>();
    for (Path file : filesUnder(MAIN.resolve("java/org/structkd"))) {
      String text = Files.readString(file);
      Set<String> presets =
          imported.matcher(text).results().map(found -> found.group(1)).collect(Collectors.toSet());
      Matcher found = extended.matcher(text);
      while (found.find()) {
        String name = found.group(1) == null ? found.group(2) : found.group(1);
        if (presets.contains(name) || name.startsWith("org.bytedeco")) {
          wrong.add(file + " extends " + name);
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  /** The first name below org.structkd; "" for org.structkd itself. */
  private static String packageOf(Path file) {
    Path below = MAIN.resolve("java/org/structkd").relativize(file);
    return below.getNameCount() == 1 ? "" : below.getName(0).toString();
  }

  private static List<Path> filesUnder(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of(); // a floor that is not built yet
    }
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(file -> file.toString().matches(".*\\.(java|h|c|cpp|cu|cuh)")).toList();
    }
  }
}
