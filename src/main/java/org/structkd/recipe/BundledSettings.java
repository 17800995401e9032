package org.structkd.recipe;

import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.model.BundledTeacher;
import org.structkd.model.NetworkFile;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.train.TeacherCache;

/**
 * {@code {kind: bundled}}: a teacher that comes with this library, see {@link BundledTeacher}.
 *
 * @param network which, by the names of {@link BundledTeacher}
 * @param inputs the batch's name for each input where it differs
 * @param adapted how it differs from the student; null: in nothing
 * @param cache where its outputs are kept; null: nowhere
 */
record BundledSettings(
    String network,
    Map<String, String> inputs,
    @Nullable Adaptation adapted,
    @Nullable TeacherCache cache)
    implements TeacherSettings {
  /** Checks that there is one of this name, and copies the map. */
  BundledSettings {
    inputs = Recipe.copied(inputs);
    BundledTeacher.requireName(network);
  }

  /** The one for scenes of clothes. */
  public BundledSettings() {
    this(BundledTeacher.FASHION, Map.of(), null, null);
  }

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    try (TensorFile weights = BundledTeacher.file(network)) {
      return NetworkFile.network(weights);
    }
  }
}
