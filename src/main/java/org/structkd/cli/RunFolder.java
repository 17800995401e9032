package org.structkd.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.train.AtomicFile;

/**
 * The folder of one run: its settings, log, checkpoints, weights and pictures. Locked as long as it
 * is open, so that two processes cannot write to it.
 */
final class RunFolder implements AutoCloseable {
  private static final String CONFIG = "config.json";
  private static final String LOCK = "lock";
  private static final Gson GSON =
      new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

  private final Path path;
  private final FileChannel lock;

  private RunFolder(Path path, FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /** Makes a new run; the folder may exist if it is empty. */
  static RunFolder create(Path path, Object config) throws IOException {
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT, path + " cannot be made a run folder: " + AtomicFile.reason(e));
    }
    try (Stream<Path> content = Files.list(path)) {
      if (content.findAny().isPresent()) {
        throw new CommandFailure(
            CommandFailure.BAD_INPUT,
            path
                + (Files.exists(path.resolve(CONFIG))
                    ? " holds a run already: --resume continues it, another --out starts a new one"
                    : " is not empty, a run needs a folder of its own"));
      }
    }
    RunFolder folder = locked(path);
    try {
      folder.saveConfig(config);
      return folder;
    } catch (IOException | RuntimeException e) {
      folder.close();
      throw e;
    }
  }

  /** Opens the folder of an earlier run. */
  static RunFolder open(Path path) throws IOException {
    if (!Files.exists(path.resolve(CONFIG))) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT, path + " holds no run: there is no " + CONFIG + " in it");
    }
    return locked(path);
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
      throw new CommandFailure(
          CommandFailure.BAD_INPUT, path + " is in use: another process works on this run");
    }
    return new RunFolder(path, channel);
  }

  /** The settings that the run was made with. */
  <T> T config(Class<T> type) throws IOException {
    Path file = path.resolve(CONFIG);
    try {
      T config = GSON.fromJson(Files.readString(file), type);
      if (config == null) {
        throw new JsonParseException("it is empty");
      }
      return config;
    } catch (RuntimeException e) { // Gson wraps what a record's constructor refuses
      Throwable root = e;
      while (root.getCause() != null) {
        root = root.getCause();
      }
      throw new CommandFailure(
          CommandFailure.BAD_INPUT,
          file
              + " holds no settings of this command: "
              + root.getMessage().lines().findFirst().orElse("")); // Gson adds a link
    }
  }

  /** Replaces the settings of the run. */
  void saveConfig(Object config) throws IOException {
    write(CONFIG, GSON.toJson(config) + "\n");
  }

  /** Settings with some components, by their names, taken from others. */
  @SuppressWarnings("unchecked") // the class of a value is that of its type
  static <S> S merged(S settings, S others, Set<String> components) {
    JsonObject merged = GSON.toJsonTree(settings).getAsJsonObject();
    JsonObject from = GSON.toJsonTree(others).getAsJsonObject();
    for (String component : components) {
      if (from.has(component)) {
        merged.add(component, from.get(component));
      }
    }
    return (S) GSON.fromJson(merged, settings.getClass());
  }

  /** The settings as they are in the folder. */
  String settingsText() throws IOException {
    return Files.readString(path.resolve(CONFIG));
  }

  Path path() {
    return path;
  }

  Path resolve(String name) {
    return path.resolve(name);
  }

  void write(String name, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(path.resolve(name), out -> out.write(bytes));
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}
