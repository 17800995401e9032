package org.structkd.recipe;

import java.io.IOException;
import org.structkd.data.Batch;
import org.structkd.model.BundledTeacher;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;

/**
 * {@code {kind: bundled}}: a teacher that comes with this library, see {@link BundledTeacher}.
 *
 * @param network which: {@code fashion} or {@code ratings}
 */
record BundledSettings(String network) implements TeacherSettings {
  /** Checks that there is one of this name. */
  BundledSettings {
    BundledTeacher.requireName(network);
  }

  /** The one for scenes of clothes. */
  public BundledSettings() {
    this(BundledTeacher.FASHION);
  }

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    try (TensorFile weights = BundledTeacher.file(network)) {
      return FileSettings.network(weights);
    }
  }
}
