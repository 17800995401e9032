package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.TappedNetwork;
import org.structkd.train.TeacherCache;

/**
 * {@code {kind: torchscript}}: a network out of a TorchScript file, see {@link ScriptedNetwork}.
 *
 * @param file the file
 * @param taps the module's output by the name of the tap that it becomes, such as {@code {logits:
 *     "0"}}; empty: all outputs by the names that the module gives them
 * @param inputs the batch's name for each input where it differs: {@code {images: sar}}
 * @param adapted how it differs from the student; null: in nothing
 * @param cache where its outputs are kept; null: nowhere
 */
record TorchscriptSettings(
    Path file,
    Map<String, String> taps,
    Map<String, String> inputs,
    @Nullable Adaptation adapted,
    @Nullable TeacherCache cache)
    implements TeacherSettings {
  /** Copies the maps, in their order. */
  public TorchscriptSettings {
    taps = Recipe.copied(taps);
    inputs = Recipe.copied(inputs);
  }

  @Override
  public void requireFile() throws IOException {
    ScriptedNetwork.requireFile(file);
  }

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    ScriptedNetwork network =
        ScriptedNetwork.load(file, sample.input(inputs.getOrDefault(Batch.IMAGES, Batch.IMAGES)));
    return taps.isEmpty() ? network : new RenamedTaps(network, taps);
  }
}
