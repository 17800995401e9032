package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.structkd.data.FashionScenes;
import picocli.CommandLine.Option;

/** Where images come from. */
final class DataOptions {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder with the four files of Fashion-MNIST, packed or not. Default: the 6,000 images"
              + " that come with structkd.")
  private @Nullable Path data;

  /** The folder as settings keep it; null for the images that come with structkd. */
  @Nullable String path() {
    return data == null ? null : absolute(data);
  }

  /** A path as settings keep it: a run may be continued from another folder. */
  static String absolute(Path path) {
    return path.toAbsolutePath().normalize().toString();
  }

  static FashionScenes load(@Nullable String path) throws IOException {
    return path == null ? FashionScenes.bundled() : FashionScenes.fromDirectory(Path.of(path));
  }
}
