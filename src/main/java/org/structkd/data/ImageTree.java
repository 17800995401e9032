package org.structkd.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Photographs and masks below two folders, which belong together by their names. */
final class ImageTree {
  /** Endings of files that are taken for images. */
  private static final Set<String> ENDINGS =
      Set.of("png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff");

  private static final String FOLDER = "a folder of images";
  private static final String CLOSED = "one that may not be read";

  private final Path root;
  private final Path images;
  private final Path masks;
  private final String imageSuffix;
  private final String maskSuffix;

  /**
   * Two folders of a data set.
   *
   * @param imageSuffix what the names of photographs end with, before the ending of the file
   * @param maskSuffix what those of masks end with in its place
   */
  ImageTree(Path root, String images, String imageSuffix, String masks, String maskSuffix) {
    this.root = root;
    this.images = root.resolve(images);
    this.masks = root.resolve(masks);
    this.imageSuffix = imageSuffix;
    this.maskSuffix = maskSuffix;
  }

  /**
   * {@return all pairs, sorted by name}
   *
   * @throws DataFileException if a folder is missing or empty, or a photograph has no mask, or a
   *     mask no photograph
   */
  List<ImagePair> pairs() throws IOException {
    Map<String, Path> photographs = files(images, imageSuffix);
    Map<String, Path> labels = files(masks, maskSuffix);
    if (photographs.isEmpty()) {
      throw new DataFileException(images.toString(), "photographs", "none");
    }
    for (Map.Entry<String, Path> label : labels.entrySet()) {
      if (!photographs.containsKey(label.getKey())) {
        throw new DataFileException(
            label.getValue().toString(), "a photograph of this name in " + images, "none");
      }
    }
    List<ImagePair> pairs = new ArrayList<>();
    for (Map.Entry<String, Path> photograph : photographs.entrySet()) {
      pairs.add(pair(photograph.getKey(), photograph.getValue(), labels));
    }
    return pairs;
  }

  private ImagePair pair(String name, Path photograph, Map<String, Path> labels)
      throws DataFileException {
    Path mask = labels.get(name);
    if (mask == null) {
      throw new DataFileException(
          photograph.toString(),
          "a mask %s%s.png in %s".formatted(name, maskSuffix, masks),
          "none");
    }
    return new ImagePair(name, photograph, mask);
  }

  /** {@return whether there is a list of names} */
  boolean hasList(String list) {
    return Files.isRegularFile(root.resolve(list));
  }

  /**
   * {@return the pairs that a list names, a line each, in its order}
   *
   * @throws DataFileException if the list is missing or empty, or a name has no photograph or mask
   */
  List<ImagePair> listed(String list) throws IOException {
    Path file = root.resolve(list);
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), "names of photographs, a line each", "nothing");
    }
    Map<String, Path> photographs = files(images, imageSuffix);
    Map<String, Path> labels = files(masks, maskSuffix);
    List<ImagePair> pairs = new ArrayList<>();
    List<String> lines = Files.readAllLines(file);
    for (int i = 0; i < lines.size(); i++) {
      String name = (i == 0 ? ByteOrderMark.removed(lines.get(i)) : lines.get(i)).strip();
      if (name.isEmpty()) {
        continue;
      }
      Path photograph = photographs.get(name);
      if (photograph == null) {
        throw new DataFileException(
            "%s:%d".formatted(file, i + 1), "the name of a photograph in " + images, name);
      }
      pairs.add(pair(name, photograph, labels));
    }
    if (pairs.isEmpty()) {
      throw new DataFileException(file.toString(), "names of photographs, a line each", "none");
    }
    return pairs;
  }

  /** Images below a folder by their path without suffix and ending. */
  private static Map<String, Path> files(Path folder, String suffix) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new DataFileException(folder.toString(), FOLDER, instead(folder));
    }
    Map<String, Path> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : (Iterable<Path>) all::iterator) {
        String path = folder.relativize(file).toString().replace('\\', '/');
        int dot = path.lastIndexOf('.');
        if (dot < 0
            || !ENDINGS.contains(path.substring(dot + 1).toLowerCase(Locale.ROOT))
            || !path.substring(0, dot).endsWith(suffix)) {
          continue;
        }
        String name = path.substring(0, dot - suffix.length());
        Path other = files.put(name, file);
        if (other != null) {
          throw new DataFileException(
              file.toString(), "one file of the name " + name, "another: " + other);
        }
      }
    } catch (AccessDeniedException e) {
      throw closed(e);
    } catch (UncheckedIOException e) {
      throw e.getCause() instanceof AccessDeniedException denied ? closed(denied) : e.getCause();
    }
    return files;
  }

  private static DataFileException closed(AccessDeniedException e) {
    return new DataFileException(String.valueOf(e.getFile()), FOLDER, CLOSED);
  }

  /** What is there instead of a folder; nothing is told apart from what may not be looked at. */
  private static String instead(Path folder) {
    try {
      Files.readAttributes(folder, BasicFileAttributes.class);
      return "no folder";
    } catch (AccessDeniedException e) {
      return CLOSED;
    } catch (IOException e) {
      return "nothing";
    }
  }
}
