package org.structkd.data;

import java.util.List;

/**
 * The garments of one split: a range of an image file and its label file.
 *
 * @param images 28x28 grey values, 0 to 255
 * @param labels garment of each image, 0 to 9
 * @param from first image of the range
 * @param to first image behind the range
 */
record SourceImages(IdxFile images, IdxFile labels, int from, int to) {
  static final int SIZE = 28;
  static final int GARMENTS = 10;

  /** Names of the garments 0 to 9. */
  static final List<String> NAMES =
      List.of(
          "t-shirt",
          "trousers",
          "pullover",
          "dress",
          "coat",
          "sandal",
          "shirt",
          "sneaker",
          "bag",
          "ankle boot");

  private static final int PIXELS = SIZE * SIZE;

  /** Takes all images of a file, once they fit each other and the format. */
  static SourceImages of(IdxFile images, IdxFile labels) throws DataFileException {
    if (images.size(1) != SIZE || images.size(2) != SIZE) {
      throw new DataFileException(
          images.name(), "images of 28x28", images.size(1) + "x" + images.size(2));
    }
    if (labels.size(0) != images.size(0)) {
      throw new DataFileException(
          labels.name(),
          images.size(0) + " labels, one for each image of " + images.name(),
          Integer.toString(labels.size(0)));
    }
    for (int i = 0; i < labels.length(); i++) {
      if (labels.element(i) >= GARMENTS) {
        throw new DataFileException(
            labels.name(), "labels 0 to 9", labels.element(i) + " at index " + i);
      }
    }
    return new SourceImages(images, labels, 0, images.size(0));
  }

  SourceImages range(int first, int end) {
    return new SourceImages(images, labels, from + first, from + end);
  }

  int count() {
    return to - from;
  }

  /** Garment 0 to 9 of an image; {@code image} is 0 to count - 1. */
  int label(int image) {
    return labels.element(from + image);
  }

  /** Grey value 0 to 255. */
  int pixel(int image, int row, int column) {
    return images.element((from + image) * PIXELS + row * SIZE + column);
  }
}
