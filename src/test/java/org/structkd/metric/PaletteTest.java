package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PaletteTest {
  @Test
  void noTwoClassesLookAlike() {
    int kinds = 256; // 255 is no class, and looks as none either
    assertEquals(kinds, IntStream.range(0, kinds).map(Palette::colour).distinct().count());
    assertEquals(Palette.colour(-1), Palette.colour(255));
  }
}
