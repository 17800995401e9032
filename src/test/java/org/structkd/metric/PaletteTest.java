package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PaletteTest {
  @Test
  void everyClassHasAColourOfItsOwn() {
    assertEquals(255, IntStream.range(0, 255).map(Palette::colour).distinct().count());
    assertEquals(Palette.colour(255), Palette.colour(-1), "which are no classes");
  }

  /** Of PASCAL VOC: horse is 13, tv monitor 20. */
  @Test
  void laterClassesHaveTheColoursOfPascalVoc() {
    assertEquals(0xc00080, Palette.colour(13));
    assertEquals(0x004080, Palette.colour(20));
  }
}
