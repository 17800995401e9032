package org.structkd.recipe;

import java.io.IOException;
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

  /** {@return how images are normalised, which teachers may see otherwise; empty: not known} */
  default Optional<Colours> colours() {
    return Optional.empty();
  }

  /** {@return examples per training step} */
  int batch();
}
