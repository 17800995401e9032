package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.DataFileException;
import org.structkd.model.TensorFile;

/**
 * State of a training between two steps, in one safetensors file: all players with their
 * optimizers, steps done, time taken, the best evaluation, and the settings of the training, so
 * that no other one continues from it.
 *
 * @param stepsDone steps that are in the weights
 * @param timedSteps those whose time was taken
 * @param stepNanos time that these took
 * @param evaluated whether the evaluation that may be due after these steps was done
 * @param best leading number of the best evaluation; NaN before the first
 * @param sinceBest evaluations after that one
 */
record Checkpoint(
    long stepsDone,
    long timedSteps,
    long stepNanos,
    boolean evaluated,
    double best,
    int sinceBest) {
  /** Where a training stands before its first step. */
  static final Checkpoint NONE = new Checkpoint(0, 0, 0, true, Double.NaN, 0);

  private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);
  private static final String KIND = "checkpoint";
  private static final String ENVIRONMENT = "environment ";

  /** The same after another number of steps. */
  Checkpoint withStepsDone(long done) {
    return new Checkpoint(done, timedSteps, stepNanos, evaluated, best, sinceBest);
  }

  static boolean isOne(TensorFile file) {
    return KIND.equals(file.properties().get("kind"));
  }

  /**
   * Writes a checkpoint in place of the one before.
   *
   * @param claim where; held as long as the training runs, so that no other one writes there
   * @param training what the training is, by name
   * @throws IOException if it cannot be written, or a weight or buffer is not finite: the last good
   *     checkpoint stays
   */
  static void save(
      FileClaim claim, Map<String, String> training, Players players, Checkpoint progress)
      throws IOException {
    requireFinite(claim.file(), players, progress.stepsDone);
    TensorFile.Builder file = TensorFile.builder();
    file.property("kind", KIND);
    training.forEach(file::property);
    file.property("stepsDone", Long.toString(progress.stepsDone));
    file.property("timedSteps", Long.toString(progress.timedSteps));
    file.property("stepNanos", Long.toString(progress.stepNanos));
    file.property("evaluated", Boolean.toString(progress.evaluated));
    file.property("best", Double.toString(progress.best));
    file.property("sinceBest", Integer.toString(progress.sinceBest));
    Environment.current().forEach((name, value) -> file.property(ENVIRONMENT + name, value));
    players.save(file);
    AtomicFile.write(claim, file.build(claim.file().toString())::write);
  }

  /**
   * Writes a checkpoint beside the file and deletes it, so that a missing folder, a full disk or
   * state that no file can hold is known before the first step.
   *
   * @throws IOException as {@link #save}
   */
  static void tryToSave(
      Path path, Map<String, String> training, Players players, Checkpoint progress)
      throws IOException {
    Path aside = path.resolveSibling(path.getFileName() + ".try");
    try (FileClaim claim = FileClaim.of(aside, Duration.ZERO)) {
      save(claim, training, players, progress);
    } catch (IOException e) {
      IOException cause = e.getCause() instanceof IOException inner ? inner : e;
      throw new IOException(path + " cannot be written: " + AtomicFile.reason(cause), e);
    }
    Files.deleteIfExists(aside);
  }

  /**
   * Continues from a checkpoint, if there is one.
   *
   * @param path the file, or another rank's copy of it
   * @param steps of the whole training
   * @return where the training stands
   * @throws IOException as {@link #restore}, or if more steps are done
   */
  static Checkpoint continued(
      Path path, TrainingIdentity training, Resume resume, long steps, Players players)
      throws IOException {
    return restore(
        path,
        (progress, stored) -> {
          training.requireSame(path, stored, resume);
          if (progress.stepsDone > steps) {
            throw new DataFileException(
                path.toString(),
                "at most " + steps + " steps, as this training has",
                progress.stepsDone + " steps done");
          }
        },
        players,
        resume == Resume.CHANGED);
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

  private static void requireFinite(Path file, Players players, long stepsDone) throws IOException {
    try {
      players.requireFinite();
    } catch (IllegalStateException e) {
      throw new IOException(
          ("%s is not written: after step %s %s. The checkpoint before stays; see"
                  + " that all inputs are finite, or lower the learning rate")
              .formatted(file, stepsDone, e.getMessage()),
          e);
    }
  }

  /**
   * Continues from a checkpoint, if there is one. Warns if this machine or number of threads
   * differ, because the last bits will.
   *
   * @param check is asked before anything changes
   * @param partsMayBeNew whether losses may train what the checkpoint does not have
   * @return where it stood, or step 0
   * @throws DataFileException if the file is damaged or of another training or network; nothing has
   *     changed then
   */
  static Checkpoint restore(Path path, Check check, Players players, boolean partsMayBeNew)
      throws IOException {
    if (!Files.exists(path)) {
      return NONE;
    }
    try (TensorFile file = TensorFile.open(path)) {
      file.require("kind", KIND);
      Checkpoint progress =
          new Checkpoint(
              file.number("stepsDone"),
              file.number("timedSteps"),
              file.number("stepNanos"),
              Boolean.parseBoolean(file.property("evaluated")),
              decimal(file, "best"),
              (int) file.number("sinceBest"));
      check.require(progress, file.properties());
      for (String term : players.restore(file, partsMayBeNew)) {
        LOG.warn(
            "{} has nothing of what term {} trains: that begins as its seed makes it", path, term);
      }
      warnIfElsewhere(path, file.properties());
      return progress;
    }
  }

  private static double decimal(TensorFile file, String name) throws DataFileException {
    String value = file.property(name);
    try {
      return Double.parseDouble(value);
    } catch (NumberFormatException e) {
      throw new DataFileException(file.source(), "\"" + name + "\" to be a number", value);
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
