package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.structkd.data.CrowdDataset;
import org.structkd.data.Dataset;
import org.structkd.data.TrackSource;
import org.structkd.data.Zone;

/**
 * {@code {kind: crowds}}: windows of the tracks of people who walk, see {@link CrowdDataset}.
 *
 * @param source of the tracks
 * @param batch windows per training step, 1 or more
 * @param observed steps that a network sees, 2 to 1000
 * @param predicted steps that it predicts, 1 to 1000
 * @param seconds of a step
 * @param neighbours how many of the nearest others it sees, 1 or more
 * @param flip whether half of the training windows are mirrored by chance
 * @param scenes made to learn from, 1 or more, with one window of each of 12 people
 * @param validation scenes made to evaluate a training on, 1 or more
 * @param test scenes made to compare students on, 1 or more
 * @param leftOut of real tracks: the person whose windows are for the test, counted from 1; the
 *     next one's are for validation
 * @param zone corners [x, y] in metres, at least three; empty: each made scene has its own, and
 *     fetched tracks have one of ours
 * @param file with real tracks; null: the fetched ones
 */
record CrowdsSettings(
    TrackSource source,
    int batch,
    int observed,
    int predicted,
    double seconds,
    int neighbours,
    boolean flip,
    int scenes,
    int validation,
    int test,
    int leftOut,
    List<List<Double>> zone,
    @Nullable Path file)
    implements DataSettings {
  /** Checks the values. */
  public CrowdsSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    new CrowdDataset.Config(observed, predicted, seconds, neighbours, flip);
    new CrowdDataset.Scenes(scenes, validation, test);
    zone = zone.stream().map(List::copyOf).toList();
    if (!zone.isEmpty()) {
      Zone.of(zone);
    }
    if (file != null && source == TrackSource.MADE) {
      throw new IllegalArgumentException("file goes with source tracks, but source is made");
    }
  }

  /** 64 windows of 8 observed and 12 predicted steps of 0.4 s, with 4 neighbours, out of scenes. */
  public CrowdsSettings() {
    this(TrackSource.MADE, 64, 8, 12, 0.4, 4, true, 250, 30, 100, 1, List.of(), null);
  }

  @Override
  public Dataset load() throws IOException {
    CrowdDataset.Config config =
        new CrowdDataset.Config(observed, predicted, seconds, neighbours, flip);
    Zone given = zone.isEmpty() ? null : Zone.of(zone);
    return source == TrackSource.MADE
        ? CrowdDataset.made(config, new CrowdDataset.Scenes(scenes, validation, test), given)
        : CrowdDataset.of(file, given, config, leftOut);
  }
}
