package org.structkd.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.recipe.Recipe;
import org.structkd.train.AtomicFile;

/**
 * The folder of one run: its recipes and settings, log, checkpoints, weights and pictures. Locked
 * as long as it is open, so that two processes cannot write to it.
 */
public final class RunFolder implements AutoCloseable {
  private static final String SETTINGS = "run.yaml";
  private static final String LOCK = "lock";
  private static final ObjectMapper YAML =
      new ObjectMapper(
          YAMLFactory.builder()
              .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
              .disable(YAMLGenerator.Feature.SPLIT_LINES)
              .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
              .build());

  private final Path path;
  private final @Nullable FileChannel lock;

  private RunFolder(Path path, @Nullable FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /**
   * Makes a new run; the folder may exist if it is empty.
   *
   * @param path where
   * @param settings of the run
   * @param recipes in the order of their names in the settings
   * @throws RunException if the folder is no place for a run
   */
  public static RunFolder create(Path path, RunSettings settings, List<Recipe> recipes)
      throws IOException {
    if (path.toString().isEmpty()) {
      throw RunException.refused("--out is empty, expected a folder");
    }
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw RunException.refused(path + " cannot be made a run folder: " + AtomicFile.reason(e));
    }
    try (Stream<Path> content = Files.list(path)) {
      if (content.findAny().isPresent()) {
        throw RunException.refused(
            path
                + (Files.exists(path.resolve(SETTINGS))
                    ? " holds a run already: --resume continues it, another --out starts a new one"
                    : " is not empty, a run needs a folder of its own"));
      }
    }
    RunFolder folder = locked(path);
    try {
      folder.save(settings, recipes);
      return folder;
    } catch (IOException | RuntimeException e) {
      folder.close();
      throw e;
    }
  }

  /**
   * Opens the folder of an earlier run.
   *
   * @param path where
   * @throws RunException if there is none, or another process works on it
   */
  public static RunFolder open(Path path) throws IOException {
    requireRun(path);
    return locked(path);
  }

  private static void requireRun(Path path) {
    if (!Files.exists(path.resolve(SETTINGS))) {
      throw RunException.refused(path + " holds no run: there is no " + SETTINGS + " in it");
    }
  }

  /**
   * {@return the folder of a run that the first of several processes writes; the others do not, and
   * need not see it but to continue a run}
   *
   * @param path where the first has it
   */
  public static RunFolder ofFirstRank(Path path) {
    return new RunFolder(path, null);
  }

  private static RunFolder locked(Path path) throws IOException {
    FileChannel channel;
    try {
      channel =
          FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new IOException(path + " cannot be written: " + AtomicFile.reason(e), e);
    }
    @Nullable FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) { // by this very process
      lock = null;
    }
    if (lock == null) {
      channel.close();
      throw RunException.refused(path + " is in use: another process works on this run");
    }
    return new RunFolder(path, channel);
  }

  /**
   * {@return the settings of the run}
   *
   * @throws RunException if the file is damaged
   */
  public RunSettings settings() throws IOException {
    requireRun(path);
    Path file = path.resolve(SETTINGS);
    try {
      RunSettings settings = YAML.readValue(Files.readString(file), RunSettings.class);
      if (settings == null) {
        throw RunException.refused(file + " holds no settings of a run: it is empty");
      }
      return settings;
    } catch (JsonProcessingException e) {
      String reason = e.getCause() == null ? e.getOriginalMessage() : e.getCause().getMessage();
      throw RunException.refused(
          file + " holds no settings of a run: " + reason.lines().findFirst().orElse(""));
    }
  }

  /** Replaces settings and recipes; the settings last, since they make the folder one of a run. */
  public void save(RunSettings settings, List<Recipe> recipes) throws IOException {
    for (int i = 0; i < recipes.size(); i++) {
      AtomicFile.write(recipe(settings, i), bytes(recipes.get(i).toYaml()));
    }
    write(SETTINGS, YAML.writeValueAsString(settings));
  }

  /** {@return the file of a recipe: recipe.yaml, where there are several recipe-NAME.yaml} */
  public Path recipe(RunSettings settings, int index) {
    List<String> names = settings.recipes();
    return path.resolve(names.size() == 1 ? "recipe.yaml" : "recipe-" + names.get(index) + ".yaml");
  }

  /** {@return the recipes of the run as they are in the folder} */
  String recipeText(RunSettings settings) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < settings.recipes().size(); i++) {
      text.append(Files.readString(recipe(settings, i)));
    }
    return text.toString();
  }

  /** {@return the folder} */
  public Path path() {
    return path;
  }

  /** {@return a file in it} */
  Path resolve(String name) {
    return path.resolve(name);
  }

  void write(String name, String text) throws IOException {
    AtomicFile.write(path.resolve(name), bytes(text));
  }

  private static AtomicFile.Content bytes(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return out -> out.write(bytes);
  }

  @Override
  public void close() throws IOException {
    if (lock != null) {
      lock.close();
    }
  }
}
