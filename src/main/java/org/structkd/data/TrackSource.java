package org.structkd.data;

/** Where the tracks of {@link CrowdDataset} come from. */
public enum TrackSource {
  /** Scenes of a social-force model. */
  MADE,

  /** Ten people on a street, whom {@code ./structkd data tracks} fetches, or a file of yours. */
  TRACKS
}
