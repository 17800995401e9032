package org.structkd.data;

import java.io.IOException;

/**
 * A photograph, and the class of each of its pixels.
 *
 * @param picture red, green and blue
 * @param classes [height, width] unsigned, {@link LabelTable#IGNORED} where a pixel does not count
 */
record LabelledPicture(Picture picture, byte[] classes) {
  /**
   * Reads both files.
   *
   * @throws DataFileException if one is missing or broken, the mask has another size, or one of its
   *     values means nothing
   * @throws IOException if the disk fails
   */
  static LabelledPicture read(ImagePair pair, LabelTable table) throws IOException {
    Picture picture = PictureFile.colours(pair.image());
    PictureFile.Mask mask = PictureFile.mask(pair.mask());
    if (mask.height() != picture.height() || mask.width() != picture.width()) {
      throw new DataFileException(
          pair.mask().toString(),
          "%d x %d as %s has".formatted(picture.height(), picture.width(), pair.image()),
          "%d x %d".formatted(mask.height(), mask.width()));
    }
    return new LabelledPicture(picture, table.classes(mask, pair.mask()));
  }
}
