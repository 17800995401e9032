package org.structkd.data;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Ratings in a text file, one on a line behind a header.
 *
 * <pre>{@code
 * user,item,rating            or  user,item,rating,timestamp
 * ann,the third man,4.5           ann,the third man,4.5,964982703
 * }</pre>
 *
 * <p>Users and items are any names without a comma, counted from 0 in the order in which they come.
 * Of several ratings of an item by a user the last line holds. Timestamps are checked and not used.
 *
 * @param table the ratings
 * @param users names of the users
 * @param items names of the items
 */
record RatingsFile(RatingTable table, List<String> users, List<String> items) {
  private static final String HEADER = "user,item,rating";
  private static final String TIMED_HEADER = HEADER + ",timestamp";

  /** As of {@link TrackFile}: beyond any star, and sums of its squares are numbers of f32. */
  private static final float LARGEST = 1e10f;

  /**
   * Reads a file.
   *
   * @throws DataFileException if a line is no rating; names it
   * @throws IOException if it cannot be read
   */
  static RatingsFile read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(
          file.toString(), "a file of ratings", Files.exists(file) ? "no file" : "nothing");
    }
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      return new Lines(file, reader).read();
    } catch (MalformedInputException e) {
      throw new DataFileException(file.toString(), "text in UTF-8", "other bytes");
    }
  }

  /** The state of a reading. */
  private static final class Lines {
    private final Path file;
    private final BufferedReader reader;
    private final Map<String, Integer> users = new HashMap<>();
    private final Map<String, Integer> items = new HashMap<>();
    private final Map<Long, Integer> places = new HashMap<>();
    private final List<String> userNames = new ArrayList<>();
    private final List<String> itemNames = new ArrayList<>();
    private final List<long[]> pairs = new ArrayList<>();
    private final List<Float> stars = new ArrayList<>();
    private int number = 1;

    Lines(Path file, BufferedReader reader) {
      this.file = file;
      this.reader = reader;
    }

    RatingsFile read() throws IOException {
      String first = reader.readLine();
      String header = first == null ? null : ByteOrderMark.removed(first);
      if (!HEADER.equals(header) && !TIMED_HEADER.equals(header)) {
        throw refused(
            "the header " + HEADER + " or " + TIMED_HEADER,
            header == null ? "an empty file" : shown(header));
      }
      int columns = header.split(",").length;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        add(line, columns);
      }
      if (pairs.isEmpty()) {
        throw refused("ratings behind the header", "none");
      }
      int[] user = new int[pairs.size()];
      int[] item = new int[pairs.size()];
      float[] given = new float[pairs.size()];
      for (int i = 0; i < given.length; i++) {
        user[i] = (int) pairs.get(i)[0];
        item[i] = (int) pairs.get(i)[1];
        given[i] = stars.get(i);
      }
      return new RatingsFile(
          new RatingTable(user, item, given), List.copyOf(userNames), List.copyOf(itemNames));
    }

    private void add(String line, int columns) throws DataFileException {
      String[] fields = line.split(",", -1);
      if (fields.length != columns) {
        throw refused(columns + " fields between commas", fields.length + ": " + shown(line));
      }
      float rating = number(fields[2], "a rating, a finite number");
      if (Math.abs(rating) > LARGEST) {
        throw refused("a rating of at most 1e10 in size", shown(fields[2]));
      }
      if (columns == 4) {
        number(fields[3], "a timestamp, a finite number");
      }
      long user = index(fields[0], "user", users, userNames);
      long item = index(fields[1], "item", items, itemNames);
      Integer place = places.putIfAbsent(user << 32 | item, pairs.size());
      if (place != null) {
        stars.set(place, rating);
        return;
      }
      pairs.add(new long[] {user, item});
      stars.add(rating);
    }

    private int index(String name, String kind, Map<String, Integer> known, List<String> names)
        throws DataFileException {
      if (name.isBlank()) {
        throw refused("the name of the " + kind, "nothing");
      }
      Integer index = known.putIfAbsent(name, names.size());
      if (index == null) {
        names.add(name);
        return names.size() - 1;
      }
      return index;
    }

    private float number(String text, String expected) throws DataFileException {
      try {
        float value = Float.parseFloat(text);
        if (Float.isFinite(value)) {
          return value;
        }
      } catch (NumberFormatException e) {
        // The sentence below says it.
      }
      throw refused(expected, shown(text));
    }

    private DataFileException refused(String expected, String found) {
      return new DataFileException(file + ":" + number, expected, found);
    }

    private static String shown(String text) {
      return '"' + (text.length() > 60 ? text.substring(0, 60) + "..." : text) + '"';
    }
  }
}
