package org.structkd.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * One file of the binary version of CIFAR-10 or CIFAR-100.
 *
 * <pre>{@code
 * label          one byte; of CIFAR-100 two, the group and the class
 * red            32 x 32 bytes, row by row
 * green, blue    likewise; the next image follows
 * }</pre>
 *
 * <p>Reading is strict: whole images, at least one, and labels in their ranges. Immutable, may be
 * shared.
 *
 * <p>Source of the format: A. Krizhevsky, "The CIFAR-10 and CIFAR-100 datasets", section "Binary
 * version".
 */
final class CifarFile {
  /** Height and width of an image. */
  static final int SIZE = 32;

  static final int CHANNELS = 3;
  static final int PIXELS = SIZE * SIZE;

  /** Java arrays of some virtual machines end a few elements before {@link Integer#MAX_VALUE}. */
  private static final long MAX_BYTES = Integer.MAX_VALUE - 16;

  private final byte[] bytes;
  private final int labels;
  private final int label;

  private CifarFile(byte[] bytes, CifarTask task) {
    this.bytes = bytes;
    labels = task.classesOfLabels.size();
    label = task.label;
  }

  /**
   * Reads a file.
   *
   * @param file the file
   * @param task which files these are, and which label counts
   * @return its images
   * @throws DataFileException if it is missing or is not such a file; says what is wrong with it
   * @throws IOException if it cannot be read
   */
  static CifarFile read(Path file, CifarTask task) throws IOException {
    Objects.requireNonNull(task, "task");
    int row = task.classesOfLabels.size() + CHANNELS * PIXELS;
    String layout = "images of %d bytes each, of the binary version of the data".formatted(row);
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(
          file.toString(), layout, Files.exists(file) ? "no regular file" : "no such file");
    }
    long size = Files.size(file);
    if (size == 0 || size % row != 0 || size > MAX_BYTES) {
      throw new DataFileException(
          file.toString(),
          layout,
          size > MAX_BYTES
              ? "%d bytes, more than %d".formatted(size, MAX_BYTES)
              : size == 0
                  ? "0 bytes"
                  : "%d bytes, %d images and %d bytes".formatted(size, size / row, size % row));
    }
    CifarFile read = new CifarFile(Files.readAllBytes(file), task);
    read.requireLabels(file, task.classesOfLabels);
    return read;
  }

  private void requireLabels(Path file, List<Integer> classes) throws DataFileException {
    for (int image = 0; image < count(); image++) {
      for (int i = 0; i < labels; i++) {
        int found = bytes[image * row() + i] & 255;
        if (found >= classes.get(i)) {
          String which = labels == 1 ? "labels" : i == 0 ? "coarse labels" : "fine labels";
          throw new DataFileException(
              file.toString(),
              "%s 0 to %d".formatted(which, classes.get(i) - 1),
              "%d of image %d".formatted(found, image));
        }
      }
    }
  }

  /**
   * Reads the names of the classes.
   *
   * @param directory of the data set
   * @return those of its file, or "class 0" and on where there is none
   * @throws DataFileException if there are more or fewer of them than classes
   */
  static List<String> names(Path directory, CifarTask task) throws IOException {
    Path file = directory.resolve(task.names);
    if (!Files.exists(file)) {
      return IntStream.range(0, task.classes()).mapToObj(label -> "class " + label).toList();
    }
    List<String> names = new ArrayList<>();
    for (String line : Files.readString(file, StandardCharsets.ISO_8859_1).lines().toList()) {
      if (!line.isBlank()) {
        names.add(line.strip());
      }
    }
    if (names.size() != task.classes()) {
      throw new DataFileException(
          file.toString(),
          "the names of %d classes, one a line".formatted(task.classes()),
          Integer.toString(names.size()));
    }
    return List.copyOf(names);
  }

  private int row() {
    return labels + CHANNELS * PIXELS;
  }

  /** How many images there are. */
  int count() {
    return bytes.length / row();
  }

  /** The class of an image. */
  int label(int image) {
    return bytes[image * row() + label] & 255;
  }

  /**
   * A level of 0 to 255.
   *
   * @param place row * 32 + column
   */
  int level(int image, int channel, int place) {
    return bytes[image * row() + labels + channel * PIXELS + place] & 255;
  }
}
