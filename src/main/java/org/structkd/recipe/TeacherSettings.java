package org.structkd.recipe;

import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.model.TappedNetwork;
import org.structkd.train.TeacherCache;

/** The choice {@code teacher}: a trained network that a student learns from. */
public sealed interface TeacherSettings permits BundledSettings, FileSettings, TorchscriptSettings {
  /**
   * {@return the network on the CPU, in evaluation mode, with inputs by its own names}
   *
   * @param sample of what it will read, on the CPU
   * @throws IOException if its file is missing or is not what it should be
   * @throws IllegalArgumentException if it cannot read the sample
   */
  TappedNetwork load(Batch sample) throws IOException;

  /**
   * Looks at the file, before data are read: an error here is told at once.
   *
   * @throws IOException if it is missing or is not what it should be
   */
  default void requireFile() throws IOException {}

  /** {@return the batch's name for each input of the network where it differs} */
  Map<String, String> inputs();

  /** {@return how it differs from the student; null: in nothing that its taps do not tell} */
  @Nullable Adaptation adapted();

  /** {@return where its outputs are kept; null: nowhere} */
  @Nullable TeacherCache cache();
}
