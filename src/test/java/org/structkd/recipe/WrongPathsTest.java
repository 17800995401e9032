package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A path in a recipe that leads to nothing, or to something else, is named in a sentence. */
class WrongPathsTest {
  private static final Device CPU = new Device("cpu");

  /** The keys with paths, and whether a folder is meant. */
  private static final String PATHS =
      """
      kd        | data.directory | true
      arkd      | data.directory | true
      speech-teacher | data.directory | true
      kd        | data={kind: image_files, layout: camvid, directory: PATH} | true
      arkd      | data={kind: cifar, task: cifar10, directory: PATH} | true
      recsys-rd | data.file | false
      trajectory | data={kind: crowds, source: tracks, file: PATH, zone: [[0, 0], [4, 0], [4, 3]]} | false
      kd        | teacher={kind: file, file: PATH} | false
      kd        | teacher={kind: torchscript, file: PATH} | false
      """;

  @TempDir private Path folder;

  private static IOException error(String recipe, String key, Path path) {
    String set = key.contains("PATH") ? key.replace("PATH", path.toString()) : key + "=" + path;
    Recipe read = Recipes.load(recipe, List.of(set), List.of());
    return assertThrows(IOException.class, () -> Experiment.of(read, CPU).close());
  }

  private static void named(Path path, IOException e) {
    assertTrue(e.getMessage().startsWith(path.toString()), e.toString());
    assertTrue(e.getMessage().length() > path.toString().length() + 10, e.toString());
    assertFalse(e.getMessage().contains("Exception"), e.toString());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = PATHS)
  void nothing(String recipe, String key, boolean meansFolder) {
    Path path = folder.resolve("nothing");
    named(path, error(recipe, key, path));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = PATHS)
  void aFileInPlaceOfAFolderAndTheOtherWayRound(String recipe, String key, boolean meansFolder)
      throws IOException {
    Path path = folder.resolve("other");
    if (meansFolder) {
      Files.writeString(path, "a file");
    } else {
      Files.createDirectory(path);
    }
    named(path, error(recipe, key, path));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = PATHS)
  void anEmptyOne(String recipe, String key, boolean meansFolder) throws IOException {
    Path path = folder.resolve("empty");
    if (meansFolder) {
      Files.createDirectory(path);
    } else {
      Files.write(path, new byte[0]);
    }
    named(path, error(recipe, key, path));
  }
}
