package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Ten people who crossed a street in 2010, seen for 7 seconds, with their places in metres: the
 * sequence TUD-Stadtmitte.
 */
final class Tracks {
  private static final String FILE = "motmetrics/data/TUD-Stadtmitte/gt.txt";
  private static final String KEPT = "stadtmitte.txt";

  /** Sum of the file in motmetrics 1.4.0. The package's other sequence has no places in metres. */
  static final PackagedData DATA =
      new PackagedData(
          "tracks",
          "10 people on a street (TUD-Stadtmitte), where each was in metres in 179 frames, for"
              + " trajectories.",
          "MIT as a package; the annotations are those of the MOT Challenge (Andriluka, Roth,"
              + " Schiele, CVPR 2010; Leal-Taixe et al. 2015), which to our knowledge has them under"
              + " CC BY-NC-SA 3.0: not for commercial use.",
          new DataPackage.Python("motmetrics", "1.4.0"),
          "0.2 MB",
          List.of(
              new PackagedData.Item(
                  FILE, "275e53717f0397c19484fd42198fc5c4dc7b3de7ba5ca15ef53e2b8188696650")),
          (root, into) -> Files.copy(root.resolve(FILE), into.resolve(KEPT)));

  /** A square in the middle, which about half of the windows of 20 steps of 0.2 s enter; ours. */
  static final Zone ZONE =
      new Zone(
          List.of(
              new Zone.Point(10, 6),
              new Zone.Point(13, 6),
              new Zone.Point(13, 9),
              new Zone.Point(10, 9)));

  private Tracks() {}

  /** The file, or the sentence that says what fetches it. */
  static Path file() throws IOException {
    return DataCache.ofUser().require(DATA).resolve(KEPT);
  }
}
