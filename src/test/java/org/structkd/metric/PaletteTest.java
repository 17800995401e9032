package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.structkd.data.FashionScenes;

class PaletteTest {
  private static final int GREY = 0x808080;

  private static Palette of(int classes) {
    return new Palette(IntStream.range(0, classes).mapToObj(i -> "class " + i).toList());
  }

  private static int away(int colour, int other) {
    int sum = 0;
    for (int shift = 0; shift < 24; shift += 8) {
      sum += Math.abs((colour >> shift & 255) - (other >> shift & 255));
    }
    return sum;
  }

  @Test
  void everyClassHasAColourOfItsOwnThatIsNeitherBlackNorThatOfNoClass() {
    int[] colours = IntStream.range(0, 255).map(of(255)::colour).toArray();
    assertEquals(255, IntStream.of(colours).distinct().count());
    for (int i = 0; i < colours.length; i++) {
      assertTrue(away(colours[i], 0) >= 128, "class " + i + " is dark: " + colours[i]);
      assertTrue(away(colours[i], GREY) >= 96, "class " + i + " is grey: " + colours[i]);
      for (int j = 0; j < Math.min(i, 40); j++) {
        assertTrue(i >= 40 || away(colours[i], colours[j]) >= 20, i + " looks like " + j);
      }
    }
  }

  @Test
  void labelsOfNoClassAreGrey() {
    for (int label : new int[] {-1, 3, 255, Integer.MAX_VALUE}) {
      assertEquals(GREY, of(3).colour(label));
    }
    assertEquals(GREY, of(300).colour(255), "255 is no class anywhere");
  }

  /** As in the pictures of the documents. */
  @Test
  void onlyTheBackgroundIsBlackWhereverItIsInTheList() {
    Palette scenes = new Palette(FashionScenes.CLASS_NAMES);
    assertEquals(0, scenes.colour(0));
    assertEquals(0xe6194b, scenes.colour(1));
    assertEquals(0xffffff, scenes.colour(10));
    Palette last = new Palette(List.of("a", "background", "b"));
    assertEquals(
        List.of(0xe6194b, 0, 0x3cb44b), IntStream.range(0, 3).map(last::colour).boxed().toList());
  }

  /** Programs read the classes of a mask off the indices of its palette. */
  @Test
  void indicesOfAMaskAreItsLabels() {
    BufferedImage mask = of(255).mask(3, 2, new int[] {0, 1, 254, 255, -1, 300});
    assertInstanceOf(IndexColorModel.class, mask.getColorModel());
    assertArrayEquals(
        new int[] {0, 1, 254, 255, 255, 255},
        mask.getRaster().getSamples(0, 0, 3, 2, 0, (int[]) null));
    assertEquals(0xff000000 | of(255).colour(254), mask.getRGB(2, 0));
    assertEquals(0xff000000 | GREY, mask.getRGB(0, 1));
    BufferedImage many = of(300).mask(2, 1, new int[] {256, 299});
    assertEquals(0xff000000 | of(300).colour(299), many.getRGB(1, 0));
  }
}
