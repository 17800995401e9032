package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.train.Loading;
import org.structkd.train.TrainingOutcome;

class ProgressLinesTest {
  @TempDir private Path temp;

  /** Evaluations are after the steps 10 and 20, so that lines from step 12 on know a score. */
  @Test
  void linesTellRateTimeLeftLossesAndTheLastScore() {
    Cli cli = Cli.distill(temp.resolve("run"));
    assertEquals(0, cli.status(), cli.err());
    List<String> lines = cli.out().lines().filter(line -> line.contains(" steps/s ")).toList();
    assertEquals(20, lines.size(), cli.out());
    String begin =
        " +\\d+/20 +[0-9.]+ steps/s +\\d+ s left  (waits \\d+ % for \\d+ examples/s  )?(pixelwise [0-9.]+  )?supervised [0-9.]+";
    for (String line : lines) {
      int step = Integer.parseInt(line.strip().split("/")[0]);
      String score = step > 10 ? "  mIoU 0\\.\\d{4}" : "";
      assertTrue(line.matches(begin + ".*"), line);
      assertTrue(line.matches(".*[0-9]" + score), line);
      assertEquals(step > 10, line.contains("mIoU"), line);
    }
  }

  /** A training of milliseconds waits for the thread that prepares, not for its examples. */
  @Test
  void onlyWaitsForThePreparationAreTold() {
    assertEquals(
        "waits 40 % for 20000000 examples/s  ",
        ProgressLines.waits(new Loading(2, 16, 800, 400), 1000));
    assertEquals("", ProgressLines.waits(new Loading(2, 16, 40, 400), 1000));
    assertEquals("", ProgressLines.waits(new Loading(2, 16, 800, 40), 1000));
    assertEquals("", ProgressLines.waits(null, 1000));
  }

  @Test
  void aTrainingThatGotNoBetterSaysThatItEndedEarly() {
    Loading none = new Loading(0, 0, 0, 0);
    assertEquals(
        "  ended early, after 30 of 100 steps: evaluations got no better%n".formatted(),
        ProgressLines.early(new TrainingOutcome(30, true, 0, 0, none), 100));
    assertEquals("", ProgressLines.early(new TrainingOutcome(30, false, 0, 0, none), 100));
    assertEquals("", ProgressLines.early(new TrainingOutcome(100, true, 0, 0, none), 100));
  }
}
