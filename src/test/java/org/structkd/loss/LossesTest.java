package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.internal.Words;

/** {@link Losses} is the one list: all losses are in it, and the docs say what it says. */
class LossesTest {
  private static final Path CLASSES = Path.of("target/classes/org/structkd/loss");

  static List<Losses.Entry> entries() {
    return Losses.all();
  }

  private static List<Class<?>> classesOfThePackage() throws IOException {
    try (Stream<Path> files = Files.list(CLASSES)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class") && !name.equals("package-info.class"))
          .<Class<?>>map(LossesTest::load)
          .toList();
    }
  }

  private static Class<?> load(String file) {
    try {
      return Class.forName("org.structkd.loss." + file.replace(".class", ""));
    } catch (ClassNotFoundException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void everyLossOfThePackageIsListedOnce() throws IOException {
    Set<String> found = new TreeSet<>();
    for (Class<?> type : classesOfThePackage()) {
      if (Loss.class.isAssignableFrom(type) && !type.isInterface()) {
        found.add(type.getName());
      }
    }
    assertEquals(
        List.copyOf(found), Losses.all().stream().map(e -> e.type().getName()).sorted().toList());
    assertEquals(
        Losses.all().size(), Losses.all().stream().map(Losses.Entry::id).distinct().count());
  }

  /** "inter_class_similarity" is InterClassSimilarityLoss: one name on every floor. */
  @ParameterizedTest
  @MethodSource("entries")
  void theIdIsTheNameOfTheClass(Losses.Entry entry) {
    String camelCase = entry.type().getSimpleName().replaceAll("Loss$", "");
    assertEquals(camelCase.replaceAll("(?<=.)(?=[A-Z])", "_").toLowerCase(Locale.ROOT), entry.id());
    assertEquals(entry, Losses.of(entry.id()));
  }

  @ParameterizedTest
  @MethodSource("entries")
  void presetsMakeTheLoss(Losses.Entry entry) {
    assertFalse(entry.presets().isEmpty(), entry.id() + " has no preset to start from");
    for (String preset : entry.presets()) {
      assertEquals(preset.toLowerCase(Locale.ROOT), preset);
      assertTrue(entry.type().isInstance(entry.create(preset)), preset);
    }
  }

  @Test
  void presetsAreTheStaticMethodsOfTheLoss() {
    Losses.Entry pairwise = Losses.of("pairwise");
    assertEquals(
        Set.of(
            "cirkd", "dinov3_gram_anchoring", "fakd", "ftd_released", "skd_cvpr19", "skd_released"),
        pairwise.presets());
    assertEquals(PairwiseLoss.skdCvpr19(), pairwise.create("skd_cvpr19"));
    assertEquals(PixelwiseLoss.kd(), Losses.of("pixelwise").create("kd"));
  }

  @Test
  void whatIsNotThereIsRefusedWithTheNearest() {
    String known =
        Losses.all().stream().map(Losses.Entry::id).sorted().collect(Collectors.joining(", "));
    refused(
        "there is no loss \"pairwize\", there are: " + known + "; did you mean \"pairwise\"?",
        () -> Losses.of("pairwize"));
    refused(
        "loss \"pairwise\" has no preset \"skdCvpr19\", it has: cirkd, dinov3_gram_anchoring,"
            + " fakd, ftd_released, skd_cvpr19, skd_released; did you mean \"skd_cvpr19\"?",
        () -> Losses.of("pairwise").create("skdCvpr19"));
  }

  @ParameterizedTest
  @MethodSource("entries")
  void thePageOfTheLossTellsIdAndPresets(Losses.Entry entry) throws IOException {
    Path page = Path.of("docs/methods", entry.id() + ".md");
    assertTrue(Files.exists(page), page + " is missing");
    String text = Files.readString(page);
    assertTrue(text.contains("`" + entry.id() + "`"), page + " does not tell the id");
    assertTrue(text.contains(entry.type().getName()), page + " does not tell the class");
    for (String preset : entry.presets()) {
      assertTrue(text.contains("`" + preset + "`"), page + " does not tell preset " + preset);
    }
  }

  /** The columns that are not the list's own are the id's link and the formula. */
  @Test
  void theTableOfTheReadmeIsTheList() throws IOException {
    List<String> rows =
        Files.readAllLines(Path.of("README.md")).stream()
            .filter(line -> line.startsWith("| [`") && line.contains("](docs/methods/"))
            .toList();
    List<List<String>> shown =
        rows.stream()
            .map(row -> Arrays.stream(row.split(" \\| |^\\| | \\|$")).map(String::strip).toList())
            .toList();
    List<List<String>> expected =
        Losses.all().stream()
            .map(
                entry ->
                    List.of(
                        "",
                        "[`%1$s`](docs/methods/%1$s.md)".formatted(entry.id()),
                        "`" + entry.type().getSimpleName() + "`",
                        entry.paper(),
                        Words.of(entry.kind()),
                        String.join(
                            ", ", entry.presets().stream().map(p -> "`" + p + "`").toList())))
            .toList();
    for (int i = 0; i < Math.min(shown.size(), expected.size()); i++) {
      assertEquals(expected.get(i), shown.get(i).subList(0, 6), "row of " + expected.get(i).get(1));
    }
    assertEquals(expected.size(), shown.size(), "rows " + rows);
  }
}
