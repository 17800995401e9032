package org.structkd.recipe;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.structkd.data.Dataset;
import org.structkd.data.PictureInput;

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
   * {@return how files of pictures become such images; empty where images are no pictures} Looks at
   * no file.
   */
  default Optional<PictureInput> pictures() {
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
