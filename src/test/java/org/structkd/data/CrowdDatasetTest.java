package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Windows of tracks, made and read. */
@InScope
class CrowdDatasetTest {
  private static final Zone ZONE =
      Zone.of(List.of(List.of(0., 0.), List.of(2., 0.), List.of(2., 2.)));

  /** Two observed and two predicted steps of five frames. */
  private static final CrowdDataset.Config SHORT = new CrowdDataset.Config(2, 2, 0.2, 2, false);

  @TempDir private Path folder;

  private static CrowdDataset made(boolean flip) {
    return CrowdDataset.made(
        new CrowdDataset.Config(8, 12, 0.4, 4, flip), new CrowdDataset.Scenes(3, 1, 2), null);
  }

  @Test
  void splitsHaveTheirScenes() {
    assertEquals(3 * MadeCrowd.WALKERS, made(true).size(Split.TRAIN));
    assertEquals(MadeCrowd.WALKERS, made(true).size(Split.VALIDATION));
    Batch batch = made(true).examples(Split.TEST, 5, 7);
    assertArrayEquals(new long[] {7, 8, 2}, batch.input("observed").shape());
    assertArrayEquals(new long[] {7, 8, 8}, batch.input("neighbours").shape());
    assertArrayEquals(new long[] {7, 12, 2}, batch.target("trajectories").shape());
    assertArrayEquals(new long[] {7, 4, 2}, batch.target("zones").shape());
    assertThrows(IndexOutOfBoundsException.class, () -> made(true).examples(Split.TEST, 2 * 12, 1));
  }

  /** The last observed place is the origin; the first one lies behind it on the x axis. */
  @Test
  void windowsAreInTheFrameOfThePerson() {
    Tensor observed = made(true).examples(Split.TEST, 0, 24).input("observed");
    for (double value : Tensors.values(observed.select(1, 7))) {
      assertEquals(0, value, 1e-9);
    }
    double[] first = Tensors.values(observed.select(1, 0));
    for (int i = 0; i < 24; i++) {
      assertTrue(first[2 * i] < 0);
      assertEquals(0, first[2 * i + 1], 1e-6);
    }
  }

  @Test
  void theSeedDecidesOrderAndMirrors() throws Exception {
    BatchSource source = made(true).training(8);
    Batch one = source.prepare(2).tensors();
    assertTrue(
        Tensors.sameBits(
            one.input("observed"), made(true).training(8).prepare(2).tensors().input("observed")));
    Tensor other = made(true).withSeed(1).training(8).prepare(2).tensors().input("observed");
    assertNotEquals(true, Tensors.sameBits(one.input("observed"), other));
  }

  /** A mirror changes the sign of y in all tensors alike, and of some windows only. */
  @Test
  void mirrorsChangeTheSideOfEverything() throws Exception {
    Batch plain = made(false).training(36).prepare(0).tensors();
    Batch mirrored = made(true).training(36).prepare(0).tensors();
    int changed = 0;
    for (int i = 0; i < 36; i++) {
      double side = side(plain, mirrored, "trajectories", i);
      for (String name : List.of("observed", "neighbours", "zones")) {
        assertEquals(side, side(plain, mirrored, name, i), name);
      }
      changed += side < 0 ? 1 : 0;
    }
    assertEquals(18, changed, 10);
  }

  private static double side(Batch plain, Batch mirrored, String name, int example) {
    boolean input = plain.inputs().containsKey(name);
    double[] from =
        Tensors.values((input ? plain.input(name) : plain.target(name)).select(0, example));
    double[] to =
        Tensors.values((input ? mirrored.input(name) : mirrored.target(name)).select(0, example));
    double side = 0;
    for (int i = 0; i < from.length; i += 2) {
      assertEquals(from[i], to[i], 1e-6);
      assertEquals(Math.abs(from[i + 1]), Math.abs(to[i + 1]), 1e-6);
      side = Math.abs(from[i + 1]) > 1e-4 ? Math.signum(from[i + 1] * to[i + 1]) : side;
    }
    return side;
  }

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("tracks.txt"), text);
  }

  /** People walk along y at 1 m a step of five frames; the third is 4 m beside the first. */
  private Path walkers(int people, int frames, String form) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int frame = 0; frame < frames; frame++) {
      for (int person = 1; person <= people; person++) {
        text.append(form.formatted(100 + frame, person, 2.0 * person, frame / 5.0)).append("\n");
      }
    }
    return file(text.toString());
  }

  /** Numbers by hand: 3 people of 20 frames have 5 windows each of 16 frames. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"%d %d %s %s", "%d,%d,1,2,3,4,1,%s,%s,0", "'%1$d.0\t%2$d.0\t%3$s\t%4$s'"})
  void tracksOfAFileBecomeWindows(String form) throws IOException {
    CrowdDataset data = CrowdDataset.of(walkers(3, 20, form), ZONE, SHORT, 2);
    for (Split split : Split.values()) {
      assertEquals(5, data.size(split));
    }
    Batch first = data.examples(Split.TEST, 0, 1);
    assertArrayEquals(new double[] {-1, 0, 0, 0}, Tensors.values(first.input("observed")), 1e-6);
    assertArrayEquals(
        new double[] {1, 0, 2, 0}, Tensors.values(first.target("trajectories")), 1e-6);
    // The person walks upwards, so that the others are at its left and right: y of 2 and -2.
    assertArrayEquals(
        new double[] {0, 2, 0, -2, 0, 2, 0, -2}, Tensors.values(first.input("neighbours")), 1e-6);
    // The person was at 4, 1: the corners in its frame.
    assertArrayEquals(
        new double[] {-1, 4, -1, 2, 1, 2}, Tensors.values(first.target("zones")), 1e-6);
  }

  /** Some editors write a mark in front of the first number that nobody sees. */
  @Test
  void aByteOrderMarkIsNoNumber() throws IOException {
    Path file = walkers(3, 16, "%d %d %s %s");
    Files.writeString(file, "\uFEFF" + Files.readString(file));
    assertEquals(1, CrowdDataset.of(file, ZONE, SHORT, 2).size(Split.TEST));
  }

  /** Who is not seen at all observed steps is no neighbour, and gaps end a window. */
  @Test
  void gapsAreNotFilled() throws IOException {
    String text = Files.readString(walkers(4, 16, "%d %d %s %s"));
    text = text.replaceAll("(?m)^105 2 .*\n", "").replaceAll("(?m)^110 4 .*\n", "");
    CrowdDataset data = CrowdDataset.of(file(text + seen(5, 16)), ZONE, SHORT, 1);
    assertEquals(1, data.size(Split.TEST));
    assertEquals(1, data.size(Split.TRAIN), "persons 2 and 4 have no window");
    double[] neighbours = Tensors.values(data.examples(Split.TEST, 0, 1).input("neighbours"));
    assertArrayEquals(new double[] {0, -4, 0, -6, 0, -4, 0, -6}, neighbours, 1e-6);
  }

  private static String seen(int person, int frames) {
    StringBuilder text = new StringBuilder();
    for (int frame = 0; frame < frames; frame++) {
      text.append("%d %d 100 %s\n".formatted(100 + frame, person, frame / 5.0));
    }
    return text.toString();
  }

  @Test
  void whatDoesNotFitIsASentence() throws IOException {
    Path file = walkers(3, 15, "%d %d %s %s");
    refused(
        "tracks of 0 people last 4 steps of 0.2 s, expected at least 3 people; the longest lasts 3:"
            + " predict fewer steps, or make seconds less",
        () -> CrowdDataset.of(file, ZONE, SHORT, 1));
    walkers(3, 16, "%d %d %s %s");
    refused(
        "left_out is 4, expected 1 to 3, the people whose tracks last 4 steps of 0.2 s",
        () -> CrowdDataset.of(file, ZONE, SHORT, 4));
    refused(
        "seconds is 0.05, expected a multiple of 0.04, the time between frames",
        () -> CrowdDataset.of(file, ZONE, new CrowdDataset.Config(2, 2, 0.05, 2, true), 1));
    refused(
        "a file of tracks needs a zone, such as [[0, 0], [4, 0], [4, 3]]",
        () -> CrowdDataset.of(file, null, SHORT, 1));
    refused(
        "crowds: observed is 1, expected 2 to 1000",
        () -> new CrowdDataset.Config(1, 12, 0.4, 4, true));
    refused("crowds: test is 0, expected 1 or more", () -> new CrowdDataset.Scenes(1, 1, 0));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
      1 2 3        | 1: expected 4 numbers (frame, person, x, y) or 10 (frame, person, left, top, width, height, confidence, x, y, z), found 3 columns
      1 2 3 x      | found "x"
      1 2 3 NaN    | found "NaN"
      1.5 2 3 4    | 1: expected a whole number as frame, found 1.5
      1 2 3 4;1,2  | 2: expected 4 numbers as before, found 2 columns
      1 2 3 4;1 2 3 5 | expected one line for a person and a frame, found two of person 2 in frame 1
      1,1,2,3,4,5,1,-1,-1,-1 | expected a place on the ground in metres (columns 8 and 9), found -1, which says none
      ;            | expected lines of
      1 1 0 0;9e8 1 0 0 | expected at most 50000000 frames of all people together
      """)
  void aFileOfOtherLinesIsNamed(String lines, String sentence) throws IOException {
    Path file = file(lines.replace(";", "\n"));
    DataFileException e =
        assertThrows(DataFileException.class, () -> CrowdDataset.of(file, ZONE, SHORT, 1));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  /** Runs where {@code ./structkd data tracks} has run. */
  @Test
  void fetchedTracksHaveSixPeopleOfFourSeconds() throws IOException {
    assumeTrue(DataCache.ofUser().has(Tracks.DATA), "the data set tracks is not here");
    CrowdDataset.Config config = new CrowdDataset.Config(8, 12, 0.2, 4, true);
    CrowdDataset data = CrowdDataset.of(null, null, config, 6);
    assertEquals(11, data.size(Split.TEST));
    assertEquals(25, data.size(Split.VALIDATION));
    assertEquals(84 + 84 + 84 + 79, data.size(Split.TRAIN));
    assertThrows(
        IllegalArgumentException.class,
        () -> CrowdDataset.of(null, null, new CrowdDataset.Config(8, 12, 0.4, 4, true), 1));
  }
}
