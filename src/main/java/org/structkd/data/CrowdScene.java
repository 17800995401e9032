package org.structkd.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * People who were seen together, and a zone on their ground. Arrays are not copied.
 *
 * @param tracks [person][frame] where each was; null where a person was not seen
 * @param zone that people may enter
 */
record CrowdScene(List<Zone.@Nullable Point[]> tracks, Zone zone) {
  /** Steps of the longest unbroken track, frames {@code every} apart. */
  int longest(int every) {
    int longest = 0;
    for (Zone.@Nullable Point[] track : tracks) {
      int[] length = new int[track.length];
      for (int frame = 0; frame < track.length; frame++) {
        int before = frame < every ? 0 : length[frame - every];
        length[frame] = track[frame] == null ? 0 : before + 1;
        longest = Math.max(longest, length[frame]);
      }
    }
    return longest;
  }

  /** Whether a person was seen at each of some frames, {@code every} apart. */
  boolean sees(int person, int first, int steps, int every) {
    Zone.@Nullable Point[] track = tracks.get(person);
    boolean seen = first + (steps - 1) * every < track.length;
    for (int step = 0; seen && step < steps; step++) {
      seen = track[first + step * every] != null;
    }
    return seen;
  }
}
