package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipes;
import org.structkd.testing.InScope;

@InScope
class SampleSheetTest {
  private static BufferedImage picture(int width) {
    return new BufferedImage(width, 96, BufferedImage.TYPE_INT_RGB);
  }

  private static int[] headings(BufferedImage sheet, int from, int to) {
    return sheet.getRGB(from, 0, to - from, 18, null, 0, to - from);
  }

  /** The heading of a narrow column is drawn as far as where there is room for more. */
  @ParameterizedTest
  @ValueSource(
      strings = {"student, depth-pseudo-label-only", "iiiiiiiiiiiiiiiiiiii", "WWWWWWWWWWWWWW", "l"})
  void noHeadingIsCut(String heading) {
    BufferedImage narrow = SampleSheet.painted(List.of(Map.of(heading, picture(8))), Map.of());
    BufferedImage wide = SampleSheet.painted(List.of(Map.of(heading, picture(900))), Map.of());
    assertArrayEquals(
        headings(wide, 0, narrow.getWidth() - 1), headings(narrow, 0, narrow.getWidth() - 1));
    int[] beyond = headings(wide, narrow.getWidth() - 1, wide.getWidth());
    assertTrue(Arrays.stream(beyond).allMatch(colour -> colour == beyond[0]), "letters beyond");
  }

  private static Set<Integer> colours(BufferedImage image, int top) {
    int height = image.getHeight() - top;
    return Arrays.stream(image.getRGB(0, top, image.getWidth(), height, null, 0, image.getWidth()))
        .boxed()
        .collect(Collectors.toSet());
  }

  @Test
  void theLegendHasTheColourOfEachClassInAsManyLinesAsItNeeds() {
    Map<String, Integer> legend = new LinkedHashMap<>();
    IntStream.range(0, 40).forEach(i -> legend.put("class number " + i, 0x100020 + 0x500 * i));
    List<Map<String, BufferedImage>> rows = List.of(Map.of("truth", picture(200)));
    int top = SampleSheet.painted(rows, Map.of()).getHeight();
    BufferedImage sheet = SampleSheet.painted(rows, legend);
    assertEquals(208, sheet.getWidth(), "no wider than the pictures");
    assertTrue(sheet.getHeight() > top + 18 * 19, "two in a line: " + sheet.getHeight());
    Set<Integer> seen = colours(sheet, top);
    legend.forEach((name, colour) -> assertTrue(seen.contains(0xff000000 | colour), name));
  }

  /** A teacher of seven bands is shown red, green and blue. */
  @Test
  void imagesOfManyBandsAreShownByTheirFirstThree() throws Exception {
    try (Experiment experiment =
        Experiment.of(
            Recipes.load("landsat-teacher", List.of("student.width=2"), List.of()),
            new Device("cpu"))) {
      SampleSheet sheet = new SampleSheet(experiment, new Device("cpu"));
      Map<String, BufferedImage> row = sheet.rows(Map.of()).get(0);
      assertEquals(Set.of("image", "truth"), row.keySet());
      assertTrue(colours(row.get("image"), 0).size() > 100, "a photograph");
      assertEquals(4, sheet.legend().size());
    }
  }
}
