package org.structkd.internal;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The files of a resource folder, in a jar or out of one. */
public final class ResourceFolder {
  private ResourceFolder() {}

  /**
   * {@return the names of the files in a folder}
   *
   * @param beside the class in whose package the folder is
   * @param folder its name, ended by a slash
   */
  public static List<String> files(Class<?> beside, String folder) {
    // Of the class: not every jar has entries for folders.
    URL url = beside.getResource(beside.getSimpleName() + ".class");
    try {
      if (url.openConnection() instanceof JarURLConnection jar) {
        return inJar(jar, folder);
      }
      try (Stream<Path> files = Files.list(Path.of(url.toURI()).resolveSibling(folder))) {
        return files.map(file -> file.getFileName().toString()).toList();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(folder + " beside " + url + " cannot be listed", e);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(folder + " beside " + url + " cannot be listed", e);
    }
  }

  private static List<String> inJar(JarURLConnection jar, String folder) throws IOException {
    String entry = jar.getEntryName();
    String prefix = entry.substring(0, entry.lastIndexOf('/') + 1) + folder;
    return jar.getJarFile().stream()
        .map(file -> file.getName())
        .filter(name -> name.startsWith(prefix) && name.length() > prefix.length())
        .map(name -> name.substring(prefix.length()))
        .toList();
  }
}
