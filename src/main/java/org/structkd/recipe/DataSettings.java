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

  /** {@return examples per training step} */
  int batch();

  /**
   * {@return what was done to intensities of 0 to 1 before a network sees them; empty: nothing, or
   * what only the data's own page tells}
   */
  default Optional<Normalized> normalized() {
    return Optional.empty();
  }

  /**
   * Intensities of 0 to 1, of which the mean was subtracted, divided by the deviation.
   *
   * @param mean of each channel
   * @param deviation of each channel
   */
  record Normalized(List<Double> mean, List<Double> deviation) {
    /** Copies the lists. */
    public Normalized {
      mean = List.copyOf(mean);
      deviation = List.copyOf(deviation);
    }
  }

  /**
   * {@return the names of the classes; empty where there are none}
   *
   * @throws IOException if only the data tell, and they cannot be read
   */
  default List<String> classNames() throws IOException {
    return load().classNames();
  }
}
