package org.structkd.train;

import java.nio.file.Path;
import java.util.Objects;

/**
 * Where a teacher's outputs are kept, so that it computes each example once. An example is told by
 * a digest of the teacher's own inputs, and so by data, augmentation and seed together: whatever
 * changes one bit of them is another example. Outputs are kept in f16, and a training through a
 * cache reads them so from the first step on: it is the same training whether they were there or
 * not. Worth it where the same inputs come again: without augmentation, or in another training of
 * the same seed.
 *
 * @param folder with the files, of one teacher; made when the training begins. Several trainings
 *     may use it at a time
 * @param gigabytes most that its files may have together, whichever training wrote them, in units
 *     of 10⁹ bytes; above 0. Trainings that write at the same moment may exceed it by what they
 *     write then, 64 MB and a step each. A cache that is full is read and grows no more
 */
public record TeacherCache(Path folder, double gigabytes) {
  /** Checks the values. */
  public TeacherCache {
    Objects.requireNonNull(folder, "folder");
    if (!(gigabytes > 0 && gigabytes <= 1e9)) { // also refuses NaN
      throw new IllegalArgumentException(
          "gigabytes is %s, expected a number above 0".formatted(gigabytes));
    }
  }

  /** A cache of at most 4 GB. */
  public TeacherCache(Path folder) {
    this(folder, 4);
  }

  long bytes() {
    return (long) (gigabytes * 1e9);
  }
}
