package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import java.awt.image.BufferedImage;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.structkd.metric.Confusion;

class ConfusionTableTest {
  private static final Confusion BIRDS =
      new Confusion(List.of("tit, blue", "wren"), new long[][] {{3, 1}, {0, 5}});

  @Test
  void theCsvHasARowForEachNetworkAndTrueClass() {
    ConfusionTable table = new ConfusionTable();
    table.add("teacher", BIRDS);
    table.add("student", BIRDS.plus(BIRDS));
    assertEquals(
        """
        network,truth,"tit, blue",wren
        teacher,"tit, blue",3,1
        teacher,wren,0,5
        student,"tit, blue",6,2
        student,wren,0,10
        """,
        table.csv());
  }

  /** Rows are true classes from above, columns answers from the left. */
  @Test
  void thePictureIsBlueWhereAnswersAreRight() {
    ConfusionTable table = new ConfusionTable();
    table.add(
        "one",
        new Confusion(List.of("a", "b", "c"), new long[][] {{4, 0, 0}, {9, 0, 0}, {0, 0, 1}}));
    BufferedImage picture = table.draw();
    int blue = 0xff0072b2;
    int first = 0;
    while (picture.getRGB(first, first) != blue) {
      first++; // to the corner of the first cell, whose number is in its middle
    }
    int next = 36;
    assertEquals(blue, picture.getRGB(first, first), "a is taken for a");
    assertEquals(blue, picture.getRGB(first, first + next), "b is taken for a");
    assertEquals(0xfff2f2f2, picture.getRGB(first + next, first + next), "b is never taken for b");
    assertEquals(blue, picture.getRGB(first + 2 * next, first + 2 * next), "c is taken for c");
  }

  @Test
  void manyClassesAndSeveralNetworksFit() {
    int classes = 40;
    List<String> names = IntStream.range(0, classes).mapToObj(i -> "class " + i).toList();
    ConfusionTable table = new ConfusionTable();
    table.add("one", new Confusion(names, new long[classes][classes]));
    table.add("two", new Confusion(names, new long[classes][classes]));
    BufferedImage picture = table.draw();
    assertEquals(2 * picture.getHeight(), picture.getWidth());
  }

  @Test
  void countsThatDoNotFitTheClassesAreRefused() {
    refused(
        "a confusion of 2 classes has not 2 x 2 counts",
        () -> new Confusion(List.of("a", "b"), new long[][] {{1, 2}}));
    refused(
        "the classes are [tit, blue, wren] and [a], expected the same",
        () -> BIRDS.plus(new Confusion(List.of("a"), new long[1][1])));
  }
}
