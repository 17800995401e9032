package org.structkd.recipe;

import java.io.IOException;
import org.bytedeco.pytorch.Device;
import org.structkd.data.Batch;
import org.structkd.model.TappedNetwork;

/** The choice {@code teacher}: a trained network that a student learns from. */
public sealed interface TeacherSettings
    permits BundledSettings, FileSettings, TorchscriptSettings {
  /**
   * {@return the network, in evaluation mode}
   *
   * @param sample of what it will read
   * @param device where it shall be
   * @throws IOException if its file is missing or is not what it should be
   */
  TappedNetwork load(Batch sample, Device device) throws IOException;
}
