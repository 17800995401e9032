package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.structkd.train.MetricsCsv;

class CurvesTest {
  @Test
  void curvesHaveOneColourForEachCondition() {
    List<MetricsCsv.Row> rows = new ArrayList<>();
    for (String training : new String[] {"alone-1", "alone-2"}) {
      rows.add(new MetricsCsv.Row(training, 10, 1, 0.1));
      rows.add(new MetricsCsv.Row(training, 20, 0.5, 0.2));
    }
    int red = 0xffd55e00; // the first condition's
    int blue = 0xff0072b2; // the second one's
    assertTrue(colours(rows).contains(red));
    assertFalse(colours(rows).contains(blue), "two seeds of one condition");
    rows.add(new MetricsCsv.Row("distilled-1", 10, 1, 0.3));
    rows.add(new MetricsCsv.Row("distilled-1", 20, 1, 0.4));
    assertTrue(colours(rows).contains(blue));
  }

  /** Short runs log few steps, and a run may have no evaluation. */
  @Test
  void whatWasNotLoggedHasNoChart() {
    List<MetricsCsv.Row> rows = new ArrayList<>();
    rows.add(new MetricsCsv.Row("alone-1", 2, Double.NaN, 0.1));
    BufferedImage one = Curves.draw(rows, "mIoU");
    assertTrue(colours(rows).contains(0xffd55e00), "a single point is seen");
    rows.add(new MetricsCsv.Row("alone-1", 10, 1, Double.NaN));
    assertEquals(2 * one.getWidth(), Curves.draw(rows, "mIoU").getWidth());
    assertEquals(one.getWidth(), Curves.draw(List.of(), "mIoU").getWidth());
  }

  private static Set<Integer> colours(List<MetricsCsv.Row> rows) {
    BufferedImage image = Curves.draw(rows, "mIoU");
    return Arrays.stream(
            image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth()))
        .boxed()
        .collect(Collectors.toSet());
  }
}
