package org.structkd.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ref.SoftReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * The photographs of Fashion-MNIST in splits that share none: test images come from the test file,
 * and of the training file the last tenth is kept for validation.
 */
record FashionImages(SourceImages train, SourceImages validation, SourceImages test) {
  private static final String BUNDLED = "fashion-mnist-subset/";
  private static final String TRAIN = "train";
  private static final String TEST = "t10k";
  private static final String IMAGES = "-images-idx3-ubyte";
  private static final String LABELS = "-labels-idx1-ubyte";
  private static final int VALIDATION_DIVISOR = 10;

  /** Those of this library once they are unpacked, which takes a tenth of a second. */
  private static volatile SoftReference<FashionImages> unpacked = new SoftReference<>(null);

  private interface Reader {
    IdxFile read(String name, int rank) throws IOException;
  }

  /** Unpacks the images of this library, unless they are still there from an earlier call. */
  static FashionImages bundled() {
    FashionImages images = unpacked.get();
    if (images != null) {
      return images;
    }
    try {
      images = load(FashionImages::readBundled);
      unpacked = new SoftReference<>(images);
      return images;
    } catch (IOException e) {
      throw new UncheckedIOException("the bundled images cannot be read: broken jar?", e);
    }
  }

  /** Reads the four files of a directory, each plain or as .gz. */
  static FashionImages fromDirectory(Path directory) throws IOException {
    Objects.requireNonNull(directory, "directory");
    if (!Files.isDirectory(directory)) {
      throw new DataFileException(
          directory.toString(),
          "a directory with the files of Fashion-MNIST",
          Files.exists(directory) ? "no directory" : "nothing of this name");
    }
    return load((name, rank) -> IdxFile.read(plainOrPacked(directory, name), rank));
  }

  private static FashionImages load(Reader files) throws IOException {
    SourceImages train =
        SourceImages.of(files.read(TRAIN + IMAGES, 3), files.read(TRAIN + LABELS, 1));
    SourceImages test = SourceImages.of(files.read(TEST + IMAGES, 3), files.read(TEST + LABELS, 1));
    int count = train.count();
    if (count < VALIDATION_DIVISOR) {
      throw new DataFileException(
          train.images().name(),
          VALIDATION_DIVISOR + " images or more, as one in ten is kept for validation",
          Integer.toString(count));
    }
    int end = count - count / VALIDATION_DIVISOR;
    return new FashionImages(train.range(0, end), train.range(end, count), test);
  }

  private static IdxFile readBundled(String name, int rank) throws IOException {
    String resource = BUNDLED + name + ".gz";
    try (InputStream in = FashionImages.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new DataFileException(resource, "a resource of this library", "nothing");
      }
      return IdxFile.read(in, resource, rank);
    }
  }

  private static Path plainOrPacked(Path directory, String name) throws DataFileException {
    for (String file : List.of(name + ".gz", name)) {
      Path path = directory.resolve(file);
      if (Files.exists(path)) {
        return path;
      }
    }
    throw new DataFileException(
        directory.resolve(name).toString(), "this file, plain or as .gz", "neither");
  }

  SourceImages of(Split split) {
    return switch (split) {
      case TRAIN -> train;
      case VALIDATION -> validation;
      case TEST -> test;
    };
  }
}
