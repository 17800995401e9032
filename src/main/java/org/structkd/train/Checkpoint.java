package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.TensorVector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.DataFileException;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * State of a training between two steps, in one file: weights, optimizer, steps done, time taken,
 * and what the training is, so that no other one continues from it.
 *
 * @param stepsDone steps that are in the weights
 * @param stepNanos time they took
 * @param evaluated whether the evaluation that may be due after these steps was done
 */
record Checkpoint(long stepsDone, long stepNanos, boolean evaluated) {
  /** Before the first step. */
  static final Checkpoint NONE = new Checkpoint(0, 0, true);

  private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);
  private static final String OPTIMIZER = "optimizer";
  private static final String KIND = "checkpoint";
  private static final String ENVIRONMENT = "environment ";

  /**
   * Writes a checkpoint in place of the one before.
   *
   * @param training what the training is, by name
   * @throws IllegalStateException if a weight is not finite: the last good checkpoint stays
   */
  static void save(
      Path path,
      Map<String, String> training,
      Module student,
      AdamOptimizer optimizer,
      Checkpoint progress)
      throws IOException {
    requireFinite(student, progress.stepsDone);
    TensorFile.Builder file = TensorFile.builder();
    file.property("kind", KIND);
    training.forEach(file::property);
    file.property("stepsDone", Long.toString(progress.stepsDone));
    file.property("stepNanos", Long.toString(progress.stepNanos));
    file.property("evaluated", Boolean.toString(progress.evaluated));
    Environment.current().forEach((name, value) -> file.property(ENVIRONMENT + name, value));
    StateDict.save(student, file);
    file.bytes(OPTIMIZER, optimizer.state());
    AtomicFile.write(path, file.build(path.toString())::write);
  }

  /**
   * Writes a checkpoint beside the file and deletes it, so that a missing folder, a full disk or
   * state that no file can hold is known before the first step.
   *
   * @throws IOException as {@link #save}
   */
  static void tryToSave(
      Path path,
      Map<String, String> training,
      Module student,
      AdamOptimizer optimizer,
      Checkpoint progress)
      throws IOException {
    Path aside = path.resolveSibling(path.getFileName() + ".try");
    try {
      save(aside, training, student, optimizer, progress);
    } catch (IOException e) {
      IOException cause = e.getCause() instanceof IOException inner ? inner : e;
      throw new IOException(path + " cannot be written: " + AtomicFile.reason(cause), e);
    }
    Files.deleteIfExists(aside);
  }

  /** Decides whether to continue from a checkpoint, before anything changes. */
  interface Check {
    /**
     * Looks at a checkpoint.
     *
     * @param progress where it stands
     * @param properties everything that it says of itself
     * @throws DataFileException if it is one of another training
     */
    void require(Checkpoint progress, Map<String, String> properties) throws DataFileException;
  }

  private static void requireFinite(Module student, long stepsDone) {
    try (PointerScope temporaries = new PointerScope()) {
      TensorVector parameters = student.parameters();
      for (long i = 0; i < parameters.size(); i++) {
        if (!parameters.get(i).isfinite().all().item_bool()) {
          throw new IllegalStateException(
              "weights are not finite after step "
                  + stepsDone
                  + ": the checkpoint before stays; lower the learning rate");
        }
      }
    }
  }

  /**
   * Continues from a checkpoint, if there is one. Warns if this machine or number of threads
   * differ, because the last bits will.
   *
   * @param check is asked before anything changes
   * @return where it stood, or step 0
   * @throws DataFileException if the file is damaged or of another training or network; nothing has
   *     changed then
   */
  static Checkpoint restore(Path path, Check check, Module student, AdamOptimizer optimizer)
      throws IOException {
    if (!Files.exists(path)) {
      return NONE;
    }
    TensorFile file = TensorFile.read(path);
    file.require("kind", KIND);
    byte[] optimizerState = file.bytes(OPTIMIZER);
    Checkpoint progress =
        new Checkpoint(
            file.number("stepsDone"),
            file.number("stepNanos"),
            Boolean.parseBoolean(file.property("evaluated")));
    StateDict.requireFit(student, file);
    check.require(progress, file.properties());
    StateDict.restore(student, file);
    optimizer.restore(optimizerState);
    warnIfElsewhere(path, file.properties());
    return progress;
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
