package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.structkd.data.Batch;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.TappedNetwork;

/**
 * {@code {kind: torchscript}}: a network out of a TorchScript file, see {@link ScriptedNetwork}.
 *
 * @param file the file
 * @param taps the module's output by the name of the tap that it becomes, such as {@code {logits:
 *     "0"}}; empty: all outputs by the names that the module gives them
 */
record TorchscriptSettings(Path file, Map<String, String> taps) implements TeacherSettings {
  /** Copies the map, in its order. */
  public TorchscriptSettings {
    taps = Collections.unmodifiableMap(new LinkedHashMap<>(taps));
  }

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    ScriptedNetwork network = ScriptedNetwork.load(file, sample.input(Batch.IMAGES));
    return taps.isEmpty() ? network : new RenamedTaps(network, taps);
  }
}
