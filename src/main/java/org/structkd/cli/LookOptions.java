package org.structkd.cli;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.SlidingWindow;
import org.structkd.run.RunException;
import picocli.CommandLine.Option;

/** How often a network looks at an image. */
final class LookOptions {
  @Option(
      names = "--window",
      paramLabel = "HEIGHTxWIDTH",
      description =
          "Look at the image in windows of this size, such as 512x512, and average where they"
              + " overlap. Default: as a whole.")
  private @Nullable String window;

  @Option(
      names = "--stride",
      paramLabel = "HEIGHTxWIDTH",
      description = "From one window to the next. Default: two thirds of a window.")
  private @Nullable String stride;

  @Option(
      names = "--scales",
      paramLabel = "FACTOR",
      split = ",",
      defaultValue = "1",
      description =
          "Factors of the size at which the image is looked at, such as 0.75,1,1.25."
              + " Default: ${DEFAULT-VALUE}.")
  private List<Double> scales;

  @Option(names = "--flip", description = "Also look at it mirrored.")
  private boolean flip;

  /** What the options say. */
  ScoreAveraging averaging() {
    try {
      return new ScoreAveraging(window(), scales, flip);
    } catch (IllegalArgumentException e) {
      throw RunException.refused("--window, --stride or --scales: " + e.getMessage());
    }
  }

  private @Nullable SlidingWindow window() {
    if (window == null) {
      if (stride != null) {
        throw RunException.refused("--stride goes with --window HEIGHTxWIDTH: of which windows?");
      }
      return null;
    }
    ImageSides size = sides("--window", window);
    if (stride == null) {
      return new SlidingWindow(size.height(), size.width());
    }
    ImageSides step = sides("--stride", stride);
    return new SlidingWindow(size.height(), size.width(), step.height(), step.width());
  }

  private static ImageSides sides(String option, String text) {
    return ImageSides.of(option, text, "HEIGHTxWIDTH, such as 512x512");
  }
}
