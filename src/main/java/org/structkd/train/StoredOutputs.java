package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.DataFileException;
import org.structkd.internal.TensorDigest;
import org.structkd.model.TensorFile;

/**
 * The files of a {@link TeacherCache}: each holds outputs of some examples as tensors {@code
 * KEY.tap}, is written once, whole, and never changed. A file that is damaged is deleted, and what
 * was in it is computed again. Files of other names are left alone.
 */
final class StoredOutputs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Distiller.class);

  private static final String BEGINNING = "outputs-";
  private static final String ENDING = ".safetensors";

  /** The names that this class gives, so that it neither reads nor deletes files of others. */
  private static final Pattern NAME =
      Pattern.compile(BEGINNING + "[0-9a-f]{" + TensorDigest.LENGTH + "}\\" + ENDING);

  private static final String TEACHER = "teacher";
  private static final String TAPS = "taps";
  private static final String NANOS = "nanoseconds per example";

  /** What is gathered before a file is written, but for checkpoints: a second of a disk. */
  private static final long GATHERED = 64 << 20;

  private final TeacherCache settings;
  private final Map<String, String> identity = new LinkedHashMap<>();
  private final List<TensorFile> open = new ArrayList<>();
  private final Map<String, TensorFile> fileOf = new HashMap<>();
  private final Map<String, Map<String, Tensor>> gathered = new LinkedHashMap<>();
  private long gatheredBytes;
  private long bytes;
  private double nanosBefore = Double.NaN;
  private boolean grows = true;

  private StoredOutputs(TeacherCache settings, String teacher, String taps) {
    this.settings = settings;
    identity.put(TEACHER, teacher);
    identity.put(TAPS, taps);
  }

  /**
   * Opens the folder, or makes it, and reads all files once.
   *
   * @param teacher what tells it from others
   * @param taps their names and types, in order
   * @throws DataFileException if a file holds outputs of another teacher or other taps
   * @throws IOException if the folder cannot be read or written
   */
  static StoredOutputs open(TeacherCache settings, String teacher, String taps) throws IOException {
    StoredOutputs stored = new StoredOutputs(settings, teacher, taps);
    try {
      try {
        Files.createDirectories(settings.folder());
      } catch (IOException e) {
        throw new IOException(settings.folder() + " cannot be made: " + AtomicFile.reason(e), e);
      }
      for (Path file : stored.files()) {
        stored.readOrDelete(file);
      }
      return stored;
    } catch (IOException | RuntimeException e) {
      stored.close();
      throw e;
    }
  }

  /**
   * Refuses a folder that {@link #open} would surely refuse. Looks at one of its files, and writes
   * nothing.
   *
   * @param teacher what tells it from others
   * @param taps their names and types, in order
   * @throws DataFileException if it is no folder, or holds outputs of another teacher or other taps
   */
  static void requireFit(TeacherCache settings, String teacher, String taps) throws IOException {
    Path folder = settings.folder();
    if (!Files.isDirectory(folder)) {
      if (Files.exists(folder)) {
        throw new DataFileException(folder.toString(), "a folder of a teacher's outputs", "a file");
      }
      return;
    }
    try (StoredOutputs stored = new StoredOutputs(settings, teacher, taps)) {
      List<Path> files = stored.files();
      if (!files.isEmpty()) {
        TensorFile file;
        try {
          file = TensorFile.open(files.get(0));
        } catch (DataFileException e) {
          return; // damaged: it is deleted when the training begins
        }
        stored.open.add(file);
        stored.requireOwn(file);
      }
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> content = Files.list(settings.folder())) {
      return content.filter(StoredOutputs::isOwn).sorted().toList();
    }
  }

  private static boolean isOwn(Path file) {
    return NAME.matcher(file.getFileName().toString()).matches();
  }

  private void readOrDelete(Path path) throws IOException {
    TensorFile file;
    try {
      file = TensorFile.open(path);
    } catch (DataFileException e) {
      LOG.warn("{}; it is deleted, and the teacher computes again what was in it", e.getMessage());
      Files.deleteIfExists(path);
      return;
    }
    open.add(file);
    requireOwn(file);
    take(file, Files.size(path));
    nanosBefore = Double.parseDouble(file.property(NANOS));
  }

  private void requireOwn(TensorFile file) throws DataFileException {
    for (Map.Entry<String, String> own : identity.entrySet()) {
      String found = file.property(own.getKey());
      if (!found.equals(own.getValue())) {
        throw new DataFileException(
            file.source(),
            "outputs of the " + own.getKey() + " " + own.getValue(),
            "those of "
                + found
                + ": another teacher, other taps or another precision need another folder");
      }
    }
  }

  private void take(TensorFile file, long size) {
    bytes += size;
    file.names().forEach(name -> fileOf.put(name.substring(0, TensorDigest.LENGTH), file));
  }

  /** {@return how many examples are in the files} */
  int count() {
    return fileOf.size();
  }

  /** {@return bytes of all files} */
  long bytes() {
    return bytes;
  }

  /** {@return time that the teacher took for an example when it last wrote a file, or NaN} */
  double nanosBefore() {
    return nanosBefore;
  }

  boolean has(String key) {
    return gathered.containsKey(key) || fileOf.containsKey(key);
  }

  /** {@return what was stored of an example, in the open PointerScope} */
  Tensor get(String key, String tap) throws IOException {
    Map<String, Tensor> outputs = gathered.get(key);
    return outputs != null ? new Tensor(outputs.get(tap)) : fileOf.get(key).tensor(key + "." + tap);
  }

  /**
   * Keeps outputs of an example.
   *
   * @param outputs by tap, on the CPU, which no PointerScope owns
   */
  void add(String key, Map<String, Tensor> outputs) {
    gathered.put(key, outputs);
    outputs.values().forEach(output -> gatheredBytes += output.numel() * output.element_size());
  }

  /** Writes what is gathered if that is much. Between steps: a step is in a file as a whole. */
  void saveIfMuch(double nanosPerExample) {
    if (gatheredBytes >= GATHERED) {
      save(nanosPerExample);
    }
  }

  /**
   * Writes what is gathered. A training does not end where that fails: the cache grows no more.
   *
   * @param nanosPerExample that the teacher took
   */
  void save(double nanosPerExample) {
    if (grows && !gathered.isEmpty()) {
      try {
        long together = bytesOfFolder();
        if (together + gatheredBytes > settings.bytes()) {
          stopGrowing("it has %s of at most %s".formatted(text(together), text(settings.bytes())));
        } else {
          write(nanosPerExample);
        }
      } catch (IOException e) {
        stopGrowing(e.getMessage());
      }
    }
    gathered.values().forEach(outputs -> outputs.values().forEach(Tensor::close));
    gathered.clear();
    gatheredBytes = 0;
  }

  /** With what other trainings have written since this one began. */
  private long bytesOfFolder() throws IOException {
    long together = 0;
    for (Path file : files()) {
      try {
        together += Files.size(file);
      } catch (NoSuchFileException e) {
        // Another training has deleted it as damaged.
      }
    }
    return together;
  }

  private void stopGrowing(String reason) {
    grows = false;
    LOG.warn(
        "the teacher's cache {} grows no more: {}; what is in it is read all the same",
        settings.folder(),
        reason);
  }

  private void write(double nanosPerExample) throws IOException {
    TensorDigest name = new TensorDigest();
    TensorFile.Builder builder = TensorFile.builder().property(NANOS, "" + nanosPerExample);
    identity.forEach(builder::property);
    gathered.forEach(
        (key, outputs) -> {
          name.add(key);
          outputs.forEach((tap, output) -> builder.tensor(key + "." + tap, output));
        });
    // Named by its content, so that two trainings do not write the same name.
    Path path = settings.folder().resolve(BEGINNING + name.text() + ENDING);
    AtomicFile.write(path, builder.build(path.toString())::write);
    TensorFile file = TensorFile.open(path);
    open.add(file);
    take(file, Files.size(path));
  }

  static String text(long bytes) {
    return bytes < 1_000_000
        ? bytes + " bytes"
        : bytes < 1_000_000_000
            ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
            : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }

  @Override
  public void close() throws IOException {
    for (TensorFile file : open) {
      file.close();
    }
    open.clear();
    fileOf.clear();
  }
}
