package org.structkd.recipe;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.structkd.data.Dataset;

/** The choice {@code data}: what a student learns from, and is judged by. */
public sealed interface DataSettings
    permits FashionScenesSettings,
        MadeRatingsSettings,
        RatedItemsSettings,
        GarmentsSettings,
        CifarSettings,
        SpeechSettings,
        SuperResolutionSettings,
        StereoSettings,
        CrowdsSettings,
        ImageFilesSettings,
        LandsatSettings,
        PrivilegedScenesSettings {
  /**
   * {@return the examples}
   *
   * @throws IOException if they cannot be read
   */
  Dataset load() throws IOException;

  /**
   * {@return what was done to intensities of 0 to 1 before a network sees them; empty: nothing, or
   * what only the data's own page tells}
   */
  default Optional<Colours> colours() {
    return Optional.empty();
  }

  /** {@return examples per training step} */
  int batch();

  /**
   * {@return the names of the classes; empty where there are none}
   *
   * @throws IOException if only the data tell, and they cannot be read
   */
  default List<String> classNames() throws IOException {
    return load().classNames();
  }
}
