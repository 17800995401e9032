package org.structkd.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The recordings of a folder: a folder for each voice, and in all of them files of the same names.
 *
 * @param folder with the folders of voices
 * @param voices names of these folders, sorted, two or more
 * @param names of the files that all voices have, sorted, such as "digits/1.wav"; one or more
 */
record SpeechFolder(Path folder, List<String> voices, List<String> names) {
  private static final String SUFFIX = ".wav";

  /**
   * Lists a folder; reads no recording.
   *
   * @throws DataFileException if it is no folder, has fewer than two voices, or these have no name
   *     in common
   */
  static SpeechFolder of(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new DataFileException(
          folder.toString(), "a folder with a folder of WAV files for each language", "nothing");
    }
    List<String> voices = new ArrayList<>();
    try (Stream<Path> inside = Files.list(folder)) {
      inside
          .filter(Files::isDirectory)
          .map(path -> path.getFileName().toString())
          .filter(name -> !name.startsWith("."))
          .sorted()
          .forEach(voices::add);
    }
    if (voices.size() < 2) {
      throw new DataFileException(
          folder.toString(),
          "two or more folders of WAV files, one for each language",
          voices.size() + "");
    }
    Set<String> names = names(folder.resolve(voices.get(0)));
    for (String voice : voices) {
      names.retainAll(names(folder.resolve(voice)));
    }
    if (names.isEmpty()) {
      throw new DataFileException(
          folder.toString(),
          "WAV files of the same names in " + String.join(", ", voices),
          "no name that all have");
    }
    return new SpeechFolder(folder, List.copyOf(voices), List.copyOf(names));
  }

  /** {@return the WAV files below a folder, by their paths in it with / between, sorted} */
  static Set<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files
          .filter(file -> Files.isRegularFile(file) && file.toString().endsWith(SUFFIX))
          .map(file -> folder.relativize(file).toString().replace('\\', '/'))
          .collect(Collectors.toCollection(TreeSet::new));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** {@return the samples of a recording} */
  float[] read(String voice, String name) throws IOException {
    return WavFile.read(folder.resolve(voice).resolve(name));
  }
}
