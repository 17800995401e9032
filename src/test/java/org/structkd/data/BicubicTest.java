package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.testing.PictureCases;

class BicubicTest {
  static List<JsonNode> cases() throws IOException {
    return PictureCases.of("bicubic");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheMatricesOfTheStoredCases(JsonNode one) {
    double[] resized =
        Bicubic.resized(
            PictureCases.numbers(one, "levels"),
            one.get("height").intValue(),
            one.get("width").intValue(),
            one.get("newHeight").intValue(),
            one.get("newWidth").intValue());
    assertArrayEquals(PictureCases.numbers(one, "resized"), resized, 1e-10);
  }

  /** A plane is a plane wherever it lies, and what is flat stays so to its edges. */
  @Test
  void planesDoNotMeet() {
    double[] two = new double[2 * 6 * 8];
    Arrays.fill(two, 48, 96, 9);
    double[] resized = Bicubic.resized(two, 6, 8, 3, 4);
    for (int i = 0; i < resized.length; i++) {
      assertEquals(i < 12 ? 0 : 9, resized[i], 1e-12);
    }
    assertArrayEquals(two, Bicubic.resized(two, 6, 8, 6, 8), 1e-12);
  }

  @Test
  void impossibleSizesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Bicubic.resized(new double[6], 2, 3, 0, 3));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> Bicubic.resized(new double[7], 2, 3, 1, 1));
    assertEquals("bicubic: planes have 7 values, expected a multiple of 2 x 3", e.getMessage());
  }
}
