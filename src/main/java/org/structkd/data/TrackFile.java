package org.structkd.data;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Reads where people were: a line for each person and frame, in one of the two usual forms, with
 * commas or blanks between the numbers.
 *
 * <pre>{@code
 * frame person x y                                             ETH and UCY, as released with Social GAN
 * frame person left top width height confidence x y z          MOT Challenge 2015, with places on the ground
 * }</pre>
 *
 * <p>Frames that have no line of a person between two that have are not seen: nothing is filled in.
 */
final class TrackFile {
  /**
   * Farther than any place on the ground, in metres; frames and people are whole numbers of int.
   */
  private static final double LARGEST = 1e10;

  private static final int PLAIN = 4;
  private static final int CHALLENGE = 10;
  private static final String FORMS =
      "4 numbers (frame, person, x, y) or 10 (frame, person, left, top, width, height, confidence,"
          + " x, y, z)";

  /** Most frames of all people together, seen or not: arrays hold them all. */
  private static final long MOST_FRAMES = 50_000_000;

  private TrackFile() {}

  /** One line. */
  private record Seen(int frame, Zone.Point at) {}

  /**
   * Reads a file.
   *
   * @param file of lines as above, in metres
   * @param zone that people may enter
   * @return the people in the order of their numbers; frame 0 is the first of the file
   * @throws DataFileException if a line is of another form; names it
   * @throws IOException if the file cannot be read
   */
  static CrowdScene read(Path file, Zone zone) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), "a file of tracks", "nothing");
    }
    Map<Integer, List<Seen>> people = new TreeMap<>();
    int first = Integer.MAX_VALUE;
    int last = Integer.MIN_VALUE;
    int columns = 0;
    List<String> lines = lines(file);
    for (int i = 0; i < lines.size(); i++) {
      String line = (i == 0 ? ByteOrderMark.removed(lines.get(i)) : lines.get(i)).strip();
      if (line.isEmpty()) {
        continue;
      }
      String place = file + ":" + (i + 1);
      double[] numbers = numbers(place, line);
      columns = columns == 0 ? numbers.length : columns;
      if (numbers.length != columns || columns != PLAIN && columns != CHALLENGE) {
        throw new DataFileException(
            place,
            columns == PLAIN || columns == CHALLENGE ? columns + " numbers as before" : FORMS,
            numbers.length + " columns");
      }
      int at = columns == PLAIN ? 2 : 7;
      int frame = whole(place, "frame", numbers[0]);
      if (columns == CHALLENGE && numbers[7] == -1 && numbers[8] == -1 && numbers[9] == -1) {
        throw new DataFileException(
            place, "a place on the ground in metres (columns 8 and 9)", "-1, which says none");
      }
      people
          .computeIfAbsent(whole(place, "person", numbers[1]), person -> new ArrayList<>())
          .add(new Seen(frame, new Zone.Point(numbers[at], numbers[at + 1])));
      first = Math.min(first, frame);
      last = Math.max(last, frame);
    }
    if (people.isEmpty()) {
      throw new DataFileException(file.toString(), "lines of " + FORMS, "no line");
    }
    if (((long) last - first + 1) * people.size() > MOST_FRAMES) {
      throw new DataFileException(
          file.toString(),
          "at most %s frames of all people together".formatted(MOST_FRAMES),
          "frames %s to %s of %s people".formatted(first, last, people.size()));
    }
    List<Zone.@Nullable Point[]> tracks = new ArrayList<>();
    for (Map.Entry<Integer, List<Seen>> one : people.entrySet()) {
      Zone.@Nullable Point[] track = new Zone.@Nullable Point[last - first + 1];
      for (Seen seen : one.getValue()) {
        if (track[seen.frame - first] != null) {
          throw new DataFileException(
              file.toString(),
              "one line for a person and a frame",
              "two of person %s in frame %s".formatted(one.getKey(), seen.frame));
        }
        track[seen.frame - first] = seen.at;
      }
      tracks.add(track);
    }
    return new CrowdScene(tracks, zone);
  }

  private static List<String> lines(Path file) throws IOException {
    try {
      return Files.readAllLines(file);
    } catch (CharacterCodingException e) {
      throw new DataFileException(file.toString(), "lines of " + FORMS, "no text");
    }
  }

  private static double[] numbers(String place, String line) throws DataFileException {
    String[] words = line.split("\\s*,\\s*|\\s+", -1);
    double[] numbers = new double[words.length];
    for (int i = 0; i < words.length; i++) {
      try {
        numbers[i] = Double.parseDouble(words[i]);
      } catch (NumberFormatException e) {
        numbers[i] = Double.NaN;
      }
      if (!(Math.abs(numbers[i]) <= LARGEST)) { // also of NaN
        throw new DataFileException(place, FORMS, "\"" + words[i] + "\"");
      }
    }
    return numbers;
  }

  private static int whole(String place, String name, double number) throws DataFileException {
    if (number != Math.rint(number) || Math.abs(number) > Integer.MAX_VALUE) {
      throw new DataFileException(place, "a whole number as " + name, String.valueOf(number));
    }
    return (int) number;
  }
}
