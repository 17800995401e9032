package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.model.BundledTeacher;
import org.structkd.model.TappedNetwork;

/**
 * {@code {kind: bundled}}: the teacher that comes with this library, see {@link BundledTeacher}.
 */
record BundledSettings() implements TeacherSettings {
  @Override
  public TappedNetwork load(Batch sample) {
    return BundledTeacher.load();
  }
}
