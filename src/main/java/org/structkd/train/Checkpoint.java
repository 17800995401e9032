package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.DataFileException;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * State of a training between two steps, in one safetensors file: weights, optimizer, steps done,
 * time taken, and the settings of the training, so that no other one continues from it.
 *
 * @param stepsDone steps that are in the weights
 * @param stepNanos time they took
 */
record Checkpoint(long stepsDone, long stepNanos) {
  private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);
  private static final String STUDENT = "student.";
  private static final String OPTIMIZER = "optimizer.";
  private static final String KIND = "checkpoint";
  private static final String SETTING = "training ";
  private static final String ENVIRONMENT = "environment ";

  /**
   * Writes a checkpoint in place of the one before.
   *
   * @param claim where; held as long as the training runs, so that no other one writes there
   * @param settings of the training by name, compared by {@link #restore}
   * @throws IOException if it cannot be written, or a weight or buffer is not finite: the last good
   *     checkpoint stays
   */
  static void save(
      FileClaim claim,
      Map<String, String> settings,
      Module student,
      AdamOptimizer optimizer,
      Checkpoint progress)
      throws IOException {
    requireFinite(claim.file(), student, progress.stepsDone);
    TensorFile.Builder file = TensorFile.builder();
    file.property("kind", KIND);
    file.property("stepsDone", Long.toString(progress.stepsDone));
    file.property("stepNanos", Long.toString(progress.stepNanos));
    settings.forEach((name, value) -> file.property(SETTING + name, value));
    Environment.current().forEach((name, value) -> file.property(ENVIRONMENT + name, value));
    StateDict.save(student, STUDENT, file);
    optimizer.save(OPTIMIZER, file);
    AtomicFile.write(claim, file.build(claim.file().toString())::write);
  }

  private static void requireFinite(Path file, Module student, long stepsDone) throws IOException {
    try {
      StateDict.requireFinite(student);
    } catch (IllegalStateException e) {
      throw new IOException(
          file
              + " is not written: after step "
              + stepsDone
              + " "
              + e.getMessage()
              + ". The checkpoint before stays; see that all images are finite, or lower the"
              + " learning rate",
          e);
    }
  }

  /**
   * Continues from a checkpoint, if there is one. Warns if this machine or number of threads
   * differ, because the last bits will.
   *
   * @param settings of the training by name; those of the checkpoint must be equal
   * @return where it stood, or step 0
   * @throws DataFileException if the file is damaged or of another training or network; nothing has
   *     changed then
   */
  static Checkpoint restore(
      Path path, Map<String, String> settings, Module student, AdamOptimizer optimizer)
      throws IOException {
    if (!Files.exists(path)) {
      return new Checkpoint(0, 0);
    }
    try (TensorFile file = TensorFile.open(path)) {
      file.require("kind", KIND);
      Checkpoint progress = new Checkpoint(file.number("stepsDone"), file.number("stepNanos"));
      for (Map.Entry<String, String> setting : settings.entrySet()) {
        file.require(SETTING + setting.getKey(), setting.getValue());
      }
      optimizer.requireFit(OPTIMIZER, file);
      StateDict.restore(student, STUDENT, file);
      optimizer.restore(OPTIMIZER, file);
      warnIfElsewhere(path, file.properties());
      return progress;
    }
  }

  private static void warnIfElsewhere(Path path, Map<String, String> stored) {
    Environment.current()
        .forEach(
            (name, here) -> {
              String there = stored.get(ENVIRONMENT + name);
              if (!here.equals(there)) {
                LOG.warn(
                    "{} was written with {} {}, now it is {}: the result will differ in its last"
                        + " digits from an uninterrupted run",
                    path,
                    name,
                    there,
                    here);
              }
            });
  }
}
