package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.loss.Losses;

/** What docs/coming-from.md calls a loss is one, and what it writes in a recipe is read. */
class ComingFromTest {
  private static final Path PAGE = Path.of("docs/coming-from.md");

  private static final String RECIPE =
      """
      name: from
      source: ""
      summary: Terms of another project.
      data: {kind: fashion_scenes, batch: 2}
      teacher: {kind: bundled}
      student: {kind: segmentation_net, width: 2}
      losses:
      %s
      train: {steps: 2000, optimizer: {kind: adam, rate: 0.01}, schedule: {kind: poly}}
      metric: {kind: segmentation, on: upsampled}
      """;

  private static List<MatchResult> found(String expression) throws IOException {
    return Pattern.compile(expression, Pattern.DOTALL)
        .matcher(Files.readString(PAGE))
        .results()
        .toList();
  }

  @Test
  void everyPresetExistsAndIsLinkedToItsPage() throws IOException {
    List<MatchResult> links = found("\\[`(\\w+):(\\w+)`]\\(methods/(\\w+)\\.md\\)");
    assertFalse(links.isEmpty());
    for (MatchResult link : links) {
      Set<String> presets = Losses.of(link.group(1)).presets();
      assertTrue(presets.contains(link.group(2)), link.group() + " of " + presets);
      assertEquals(link.group(1), link.group(3));
    }
  }

  /** Losses that other projects have; the others are of no project, or of no loss's name. */
  @Test
  void everyLossOfAProjectIsThere() throws IOException {
    Set<String> named =
        found("`(\\w+):\\w+`").stream()
            .map(name -> name.group(1))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> all =
        Losses.all().stream().map(Losses.Entry::id).collect(Collectors.toCollection(TreeSet::new));
    all.removeAll(named);
    assertEquals(
        Set.of(
            "adversarial_feature",
            "collaborative_distillation",
            "cross_entropy",
            "ensemble",
            "teacher_bounded"),
        all);
  }

  @Test
  void everyRecipeBinds(@TempDir Path folder) throws IOException {
    List<MatchResult> blocks = found("```yaml\n(.*?)```");
    assertFalse(blocks.isEmpty());
    for (MatchResult block : blocks) {
      Path file = folder.resolve("from.yaml");
      Files.writeString(file, RECIPE.formatted(block.group(1).indent(2)));
      assertEquals(2, Recipes.load(file.toString()).losses().size(), block.group(1));
    }
  }
}
