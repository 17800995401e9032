package org.structkd.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A package that holds data, and how the system's own tools download and unpack it. Nothing is
 * installed.
 */
public sealed interface DataPackage {
  /** {@return the package as sentences name it} */
  String title();

  /** {@return the command that downloads it into the current folder} */
  List<String> downloading();

  /** {@return how the names of the downloaded files end} */
  String suffix();

  /**
   * {@return the command that unpacks a file of it}
   *
   * @param file that was downloaded
   * @param root folder to unpack into, which is there
   */
  List<String> unpacking(Path file, Path root);

  /**
   * Packages of Debian, of the versions that the system's lists name.
   *
   * @param names of the packages, one or more, which share no file
   */
  record Debian(List<String> names) implements DataPackage {
    /** Copies the list. */
    public Debian {
      names = List.copyOf(names);
    }

    @Override
    public String title() {
      return "the Debian package%s %s"
          .formatted(names.size() == 1 ? "" : "s", String.join(", ", names));
    }

    @Override
    public List<String> downloading() {
      List<String> command = new ArrayList<>(List.of("apt-get", "download"));
      command.addAll(names);
      return command;
    }

    @Override
    public String suffix() {
      return ".deb";
    }

    @Override
    public List<String> unpacking(Path file, Path root) {
      return List.of("dpkg-deb", "-x", file.toString(), root.toString());
    }
  }

  /**
   * A package of Python's index. Python itself unpacks it, since wheels are archives that it reads.
   *
   * @param name of the package
   * @param version of it
   */
  record Python(String name, String version) implements DataPackage {
    private static final String INTERPRETER = "python3";

    @Override
    public String title() {
      return "the Python package %s %s".formatted(name, version);
    }

    @Override
    public List<String> downloading() {
      return List.of(
          INTERPRETER,
          "-m",
          "pip",
          "download",
          "--no-deps",
          "--only-binary=:all:",
          "--disable-pip-version-check",
          "--quiet",
          name + "==" + version);
    }

    @Override
    public String suffix() {
      return ".whl";
    }

    @Override
    public List<String> unpacking(Path file, Path root) {
      return List.of(INTERPRETER, "-m", "zipfile", "-e", file.toString(), root.toString());
    }
  }
}
