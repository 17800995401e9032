package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.structkd.data.Batch;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;

/**
 * {@code {kind: file}}: a network that a run of this library has trained.
 *
 * @param file its safetensors file
 */
public record FileSettings(Path file) implements TeacherSettings {
  @Override
  public TappedNetwork load(Batch sample, Device device) throws IOException {
    TappedNetwork network = SegmentationNet.of(TensorFile.open(file));
    network.to(device);
    return network;
  }
}
