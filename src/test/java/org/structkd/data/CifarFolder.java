package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Made files of the binary version of CIFAR-10 and CIFAR-100. */
public final class CifarFolder {
  /** Images of each file. */
  public static final int COUNT = 4;

  private CifarFolder() {}

  /** All files of the task, of 4 images each. */
  public static Path write(Path directory, CifarTask task) throws IOException {
    Files.createDirectories(directory);
    int first = 0;
    for (String file : task.training) {
      Files.write(directory.resolve(file), images(task, first, COUNT));
      first += COUNT;
    }
    Files.write(directory.resolve(task.test), images(task, first, COUNT));
    return directory;
  }

  /** Images in the order of a file. */
  static byte[] images(CifarTask task, int first, int count) {
    int row = row(task);
    byte[] bytes = new byte[count * row];
    for (int i = 0; i < count; i++) {
      List<Integer> classes = task.classesOfLabels;
      for (int l = 0; l < classes.size(); l++) {
        bytes[i * row + l] = (byte) ((first + i) * (l + 1) % classes.get(l));
      }
      for (int at = 0; at < 3 * 1024; at++) {
        bytes[i * row + classes.size() + at] = (byte) level(first + i, at);
      }
    }
    return bytes;
  }

  /** Bytes of an image and its labels. */
  static int row(CifarTask task) {
    return task.classesOfLabels.size() + 3 * 1024;
  }

  /** What an image has at a place of its three planes: no image is another one moved. */
  static int level(int image, int at) {
    return (37 * image + 11 * (at % 1024) + 5 * (at / 1024) + at % 1024 / 32) % 256;
  }

  /** CIFAR-100 of such files, two images kept to validate on. */
  public static Cifar cifar(Path directory) throws IOException {
    CifarTask task = CifarTask.CIFAR100_COARSE;
    Files.createDirectories(directory);
    Files.write(directory.resolve("train.bin"), images(task, 0, 20));
    Files.write(directory.resolve("test.bin"), images(task, 20, COUNT));
    return Cifar.fromDirectory(
        directory,
        new Cifar.Config(
            task, SceneBatches.ALL, 2, 0, 4, true, List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0)));
  }
}
