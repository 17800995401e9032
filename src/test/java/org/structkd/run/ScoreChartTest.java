package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class ScoreChartTest {
  private static byte[] png(double mean, double deviation) throws IOException {
    ScoreChart chart = new ScoreChart();
    chart.add("alone", 0.3, 0.02);
    chart.add("kd", mean, deviation);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(chart.draw("mIoU"), "png", bytes);
    return bytes.toByteArray();
  }

  @Test
  void equalNumbersGiveEqualBytesAndOthersDoNot() throws IOException {
    assertArrayEquals(png(0.4, 0.01), png(0.4, 0.01));
    assertFalse(Arrays.equals(png(0.4, 0.01), png(0.41, 0.01)), "the mean is not in the picture");
    assertFalse(Arrays.equals(png(0.4, 0.01), png(0.4, 0.03)), "nor is the deviation");
  }

  @Test
  void oneSeedHasNoDeviation() throws IOException {
    assertArrayEquals(png(0.4, 0), png(0.4, Double.NaN));
  }
}
