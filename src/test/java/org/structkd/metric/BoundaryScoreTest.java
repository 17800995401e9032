package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BoundaryScoreTest {
  private static final double ROUNDING = 1e-12;

  /** Rows of digits; a dot does not count, 255. */
  private static long[] map(String... rows) {
    return String.join("", rows).chars().mapToLong(c -> c == '.' ? 255 : c - '0').toArray();
  }

  private static BoundaryScore counted(
      double pixels, long[] labels, long[] predictions, int width) {
    double diagonal = Math.hypot(labels.length / width, width);
    BoundaryScore score = new BoundaryScore(3, 255L, pixels / diagonal);
    score.add(labels, predictions, width);
    return score;
  }

  private static final long[] HALVES = map("00001111", "00001111", "00001111", "00001111");

  @Test
  void equalMapsAgreeAndAMapWithoutABoundaryHasNoScore() {
    BoundaryScore same = counted(0.5, HALVES, HALVES, 8);
    assertEquals(1, same.meanF());
    assertEquals(1, same.f(1));
    assertEquals(Double.NaN, same.f(2), "class 2 is nowhere");
    long[] flat = new long[32];
    assertEquals(Double.NaN, counted(1, flat, flat, 8).meanF());
    assertEquals(0, counted(1, HALVES, flat, 8).meanF(), "a boundary that was not seen");
    assertEquals(0, counted(1, flat, HALVES, 8).meanF(), "one that is not there");
  }

  /** A boundary that is off by two pixels is near from a tolerance of two on. */
  @Test
  void theToleranceIsADistanceInPixels() {
    long[] shifted = map("00000011", "00000011", "00000011", "00000011");
    assertEquals(0, counted(1.99, HALVES, shifted, 8).meanF());
    assertEquals(1, counted(2.0001, HALVES, shifted, 8).meanF());
  }

  @Test
  void precisionAndRecallByHand() {
    // True: four pixels of 1 on the boundary, of which two are predicted; and two that are not
    // true.
    long[] labels = map("0001", "0001", "0001", "0001");
    long[] answers = map("0001", "0001", "0010", "0010");
    BoundaryScore score = counted(0.9, labels, answers, 4);
    // Class 1 answers: all 4 of its pixels have another class beside them; 2 lie where they should.
    assertEquals(0.5, score.f(1), ROUNDING);
    // Class 0, true: column 2. Answered: (0,2), (1,2); (2,1), (2,3), (3,1), (3,3).
    double precision = 2 / 6.0;
    double recall = 2 / 4.0;
    assertEquals(2 * precision * recall / (precision + recall), score.f(0), ROUNDING);
    assertEquals((score.f(0) + score.f(1)) / 2, score.meanF(), ROUNDING);
  }

  @Test
  void pixelsThatDoNotCountHaveNoBoundary() {
    long[] labels = map("000.1111", "000.1111", "000.1111", "000.1111");
    assertEquals(Double.NaN, counted(1, labels, HALVES, 8).meanF());
    long[] wild = HALVES.clone();
    wild[3] = -7; // whatever was answered there
    assertEquals(Double.NaN, counted(1, labels, wild, 8).meanF());
  }

  /** Each image counts alike, however long its boundaries. */
  @Test
  void aClassIsTheMeanOfItsImages() {
    BoundaryScore score = new BoundaryScore(2, null, 0.01);
    score.add(HALVES, HALVES, 8);
    score.add(HALVES, new long[32], 8);
    score.add(new long[4], new long[4], 2);
    assertEquals(0.5, score.f(0));
    assertEquals(0.5, score.meanF());
  }

  /** Against the definition in plain loops: all pairs of boundary pixels. */
  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.05, 0.1})
  void randomMapsAgreeWithTheDefinition(double tolerance) {
    Random random = new Random(5);
    int width = 23;
    int height = 17;
    long[] labels = new long[width * height];
    long[] answers = new long[width * height];
    for (int at = 0; at < labels.length; at++) {
      int cell = at / width / 4 * 7 + at % width / 5;
      labels[at] = random.nextInt(9) == 0 ? 255 : cell % 3;
      answers[at] = random.nextInt(6) == 0 ? random.nextInt(3) : cell % 3;
    }
    BoundaryScore score = new BoundaryScore(3, 255L, tolerance);
    score.add(labels, answers, width);
    for (int k = 0; k < 3; k++) {
      assertEquals(plain(labels, answers, width, k, tolerance), score.f(k), ROUNDING);
    }
  }

  private static double plain(long[] labels, long[] answers, int width, int label, double share) {
    double radius = share * Math.hypot(labels.length / width, width);
    boolean[] truth = boundary(labels, labels, width, label);
    boolean[] answer = boundary(answers, labels, width, label);
    double precision = nearShare(answer, truth, width, radius);
    double recall = nearShare(truth, answer, width, radius);
    return 2 * precision * recall / (precision + recall);
  }

  private static boolean[] boundary(long[] map, long[] labels, int width, int label) {
    boolean[] boundary = new boolean[map.length];
    for (int a = 0; a < map.length; a++) {
      for (int b = 0; b < map.length; b++) {
        int apart = Math.abs(a / width - b / width) + Math.abs(a % width - b % width);
        boundary[a] |=
            apart == 1
                && labels[a] != 255
                && labels[b] != 255
                && map[a] == label
                && map[b] != label;
      }
    }
    return boundary;
  }

  private static double nearShare(boolean[] own, boolean[] other, int width, double radius) {
    int all = 0;
    int near = 0;
    for (int a = 0; a < own.length; a++) {
      if (own[a]) {
        all++;
        boolean found = false;
        for (int b = 0; b < own.length; b++) {
          double distance = Math.hypot(a / width - b / width, a % width - b % width);
          found |= other[b] && distance <= radius;
        }
        near += found ? 1 : 0;
      }
    }
    return (double) near / all;
  }

  @Test
  void whatDoesNotFitIsRefusedAndNothingIsCounted() {
    BoundaryScore score = new BoundaryScore(2, null, 0.01);
    refused(
        "labels and predictions have 4 and 6 pixels, expected whole rows of 2 each",
        () -> score.add(new long[4], new long[6], 2));
    refused(
        "pixel 1 is of class 2, expected 0 to 1",
        () -> score.add(new long[4], new long[] {0, 2, 0, 0}, 2));
    assertEquals(Double.NaN, score.meanF());
    for (double tolerance : new double[] {-1, 0, 1.01, Double.NaN}) {
      refused(
          "the tolerance of boundaries is "
              + tolerance
              + ", expected above 0 and at most 1, as a share of the diagonal",
          () -> new BoundaryScore(2, null, tolerance));
    }
  }
}
