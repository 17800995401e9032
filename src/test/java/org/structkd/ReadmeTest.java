package org.structkd;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What README.md shows exists. The example is compiled and run by ./structkd test. */
class ReadmeTest {
  private static final Path EXAMPLE = Path.of("examples/plain-java");
  private static final Pattern JAVA_BLOCK =
      Pattern.compile("^```java\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(?:#[^)]*)?\\)");

  @Test
  void javaBlocksAreLinesOfTheExample() throws IOException {
    List<String> blocks = matches(JAVA_BLOCK);
    assertFalse(blocks.isEmpty(), "README.md has no Java block");
    String sources = withoutIndent(sourcesOfTheExample());
    for (String block : blocks) {
      assertTrue(
          sources.contains(withoutIndent(block)),
          "not in " + EXAMPLE + ", line by line:\n" + block);
    }
  }

  @Test
  void coordinatesAreThoseOfTheExample() throws IOException {
    String pom = Files.readString(EXAMPLE.resolve("pom.xml"));
    String structkd = property(Files.readString(Path.of("pom.xml")), "version");
    assertTrue(pom.contains("<structkd.version>" + structkd + "</structkd.version>"), structkd);
    assertTrue(readme().contains("<version>" + structkd + "</version>"), structkd);
  }

  /** The natives that a user is told to name are those that the loader accepts. */
  @Test
  void nativesAreThoseOfTheBuild() throws IOException {
    String pom = Files.readString(Path.of("pom.xml"));
    String javacpp = property(pom, "javacpp.version");
    String example = Files.readString(EXAMPLE.resolve("pom.xml"));
    for (String artifact : List.of("pytorch", "openblas", "javacpp")) {
      String version = property(pom, artifact + ".version").replace("${javacpp.version}", javacpp);
      String gradle = "'org.bytedeco:" + artifact + ":" + version + ":linux-x86_64'";
      assertTrue(readme().contains(gradle), gradle);
      String maven = "<artifactId>" + artifact + "</artifactId>\n<version>" + version + "<";
      assertTrue(withoutIndent(readme()).contains(maven), maven);
      assertTrue(withoutIndent(example).contains(maven), maven);
    }
  }

  @Test
  void linksLeadToFiles() throws IOException {
    for (String target : matches(LINK)) {
      assertTrue(Files.exists(Path.of(target)), "README.md links to " + target);
    }
  }

  private static String readme() throws IOException {
    return Files.readString(Path.of("README.md"));
  }

  private static List<String> matches(Pattern pattern) throws IOException {
    return pattern.matcher(readme()).results().map((MatchResult found) -> found.group(1)).toList();
  }

  private static String sourcesOfTheExample() throws IOException {
    StringBuilder all = new StringBuilder();
    try (Stream<Path> files = Files.walk(EXAMPLE.resolve("src"))) {
      for (Path file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
        all.append(Files.readString(file));
      }
    }
    return all.toString();
  }

  private static String withoutIndent(String code) {
    return code.lines().map(String::strip).collect(Collectors.joining("\n"));
  }

  /** The first element of this name. */
  private static String property(String xml, String name) {
    return xml.split("<" + name + ">", 2)[1].split("</" + name + ">", 2)[0];
  }
}
