package org.structkd.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.Deflater;

/** Writes the jars that a build would make, without a build. */
public final class Jars {
  private Jars() {}

  /** Packs the files of a folder whose names, relative to it, are wanted. */
  public static Path pack(Path jar, String module, Path folder, Predicate<String> wanted)
      throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().putValue("Automatic-Module-Name", module);
    List<Path> files;
    try (Stream<Path> all = Files.walk(folder)) {
      files = all.filter(Files::isRegularFile).sorted().toList();
    }
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
      out.setLevel(Deflater.NO_COMPRESSION);
      for (Path file : files) {
        String name = folder.relativize(file).toString();
        if (wanted.test(name)) {
          out.putNextEntry(new JarEntry(name));
          Files.copy(file, out);
        }
      }
    }
    return jar;
  }

  /** Copies a jar with the bytes of one entry replaced. */
  public static Path replace(Path jar, Path from, String name, byte[] bytes) throws IOException {
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar));
        JarFile in = new JarFile(from.toFile())) {
      for (JarEntry entry : in.stream().toList()) {
        out.putNextEntry(new JarEntry(entry.getName()));
        if (entry.getName().equals(name)) {
          out.write(bytes);
        } else {
          copy(in, entry, out);
        }
      }
    }
    return jar;
  }

  /** Puts all entries of several jars into one, as shading does: of equal names the first stays. */
  public static Path merge(Path jar, List<Path> jars) throws IOException {
    Set<String> names = new HashSet<>();
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.setLevel(Deflater.NO_COMPRESSION);
      for (Path each : jars) {
        try (JarFile in = new JarFile(each.toFile())) {
          for (JarEntry entry : in.stream().toList()) {
            if (names.add(entry.getName()) && !entry.getName().endsWith("module-info.class")) {
              out.putNextEntry(new JarEntry(entry.getName()));
              copy(in, entry, out);
            }
          }
        }
      }
    }
    return jar;
  }

  private static void copy(JarFile from, JarEntry entry, OutputStream to) throws IOException {
    try (InputStream in = from.getInputStream(entry)) {
      in.transferTo(to);
    }
  }
}
