package org.structkd.recipe;

import java.io.IOException;
import java.util.Optional;
import org.structkd.data.Dataset;
import org.structkd.data.PictureInput;

/** The choice {@code data}: what a student learns from, and is judged by. */
public sealed interface DataSettings
    permits FashionScenesSettings,
        MadeRatingsSettings,
        RatedItemsSettings,
        GarmentsSettings,
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
   * {@return how files of pictures become such images; empty where images are no pictures} Looks at
   * no file.
   */
  default Optional<PictureInput> pictures() {
    return Optional.empty();
  }

  /** {@return examples per training step} */
  int batch();
}
