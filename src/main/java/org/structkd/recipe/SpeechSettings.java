package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.SpeechDataset;
import org.structkd.data.SpeechTask;

/**
 * {@code {kind: speech}}: spoken words as images of energies by frequency and time, see {@link
 * SpeechDataset}.
 *
 * @param task what is to be told of a recording
 * @param batch recordings per training step, 1 or more
 * @param mels bands of frequency, the height of images
 * @param frames steps of 16 ms, the width of images
 * @param directory with a folder of WAV files for each language; null: what {@code ./structkd data
 *     speech} fetches
 */
record SpeechSettings(SpeechTask task, int batch, int mels, int frames, @Nullable Path directory)
    implements DataSettings {
  /** Checks the numbers. */
  public SpeechSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    new SpeechDataset.Config(task, mels, frames);
  }

  /** Languages in batches of 64; 32 bands over 64 steps, about a second. */
  public SpeechSettings() {
    this(SpeechTask.LANGUAGE, 64, 32, 64, null);
  }

  @Override
  public Dataset load() throws IOException {
    SpeechDataset.Config config = new SpeechDataset.Config(task, mels, frames);
    return directory == null
        ? SpeechDataset.fetched(config)
        : SpeechDataset.fromDirectory(directory, config);
  }
}
