package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.DataFileException;
import org.structkd.data.FashionScenes;
import org.structkd.objective.Objective;
import org.structkd.testing.Objectives;
import org.structkd.testing.SmallTrainings;

/** The log that a program of a user's own writes. */
class MetricsCsvTest {
  private static final Objective OBJECTIVE = Objectives.supervised();
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @TempDir private Path folder;

  /** Trains 30 steps of 2 scenes, with a log, and other listeners. */
  private void train(String name, TrainingListener... listeners) throws IOException {
    List<TrainingListener> all =
        new ArrayList<>(
            List.of(
                MetricsCsv.open(folder.resolve(name + ".csv"), "miou", OBJECTIVE)
                    .listener("student")));
    all.addAll(List.of(listeners));
    SmallTrainings.train(SCENES, OBJECTIVE, folder.resolve(name + ".checkpoint"), all);
  }

  @Test
  void anInterruptedTrainingEndsWithTheSameFile() throws IOException {
    train("whole");
    byte[] whole = Files.readAllBytes(folder.resolve("whole.csv"));
    assertEquals(3 + 2, MetricsCsv.read(folder.resolve("whole.csv")).size());
    TrainingListener failing =
        atStep(
            21,
            () -> {
              throw new AssertionError("this step is saved, and its row, too");
            });
    assertThrows(AssertionError.class, () -> train("failed", failing));
    Path csv = folder.resolve("failed.csv");
    // As a process leaves it that was killed after its last checkpoint.
    Files.writeString(csv, Files.readString(csv) + "student,30,0.1,0.2,0.2,\nother,3,,,,0.5\nstud");
    train("failed");
    String other = "other,3,,,,0.5\n";
    String ended = Files.readString(csv);
    assertTrue(ended.contains(other), "rows of other trainings stay");
    assertArrayEquals(whole, ended.replace(other, "").getBytes());
  }

  @Test
  void anInterruptOfTheThreadCostsNoRow() throws IOException {
    train("whole");
    TrainingListener interrupting =
        onStep(
            loss -> {
              if (loss.step() % 7 == 3) {
                Thread.currentThread().interrupt();
              }
            });
    int interrupts = 0;
    boolean complete = false;
    while (!complete) {
      try {
        train("interrupted", interrupting);
        complete = true;
      } catch (TrainingInterruptedException e) {
        interrupts++;
        assertTrue(Thread.interrupted());
      }
    }
    assertEquals(4, interrupts);
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("whole.csv")),
        Files.readAllBytes(folder.resolve("interrupted.csv")));
  }

  @Test
  void aFileWithOtherColumnsIsRefused() throws IOException {
    Path csv = Files.writeString(folder.resolve("other.csv"), "date,price\n1,2\n");
    DataFileException error =
        assertThrows(DataFileException.class, () -> MetricsCsv.open(csv, "miou", OBJECTIVE));
    assertTrue(error.getMessage().contains("found date,price"), error.getMessage());
    assertEquals("date,price\n1,2\n", Files.readString(csv));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a,b", "a\nb", "say \"a\""})
  void aNameThatIsNoCellIsRefused(String name) throws IOException {
    MetricsCsv metrics = MetricsCsv.open(folder.resolve("metrics.csv"), "miou", OBJECTIVE);
    IllegalArgumentException error =
        assertThrows(IllegalArgumentException.class, () -> metrics.listener(name));
    assertTrue(error.getMessage().contains("training is \"" + name + "\""), error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"step", "total", "validation_miou"})
  void aTermWithTheNameOfAnotherColumnIsRefused(String name) {
    IllegalArgumentException error =
        assertThrows(IllegalArgumentException.class, () -> MetricsCsv.requireTerm(name));
    assertTrue(error.getMessage().contains("\"" + name + "\""), error.getMessage());
  }

  @Test
  void aMissingFolderIsSaidBeforeTraining() {
    IOException error =
        assertThrows(
            IOException.class,
            () -> MetricsCsv.open(folder.resolve("none/a.csv"), "miou", OBJECTIVE));
    assertTrue(error.getMessage().contains("its folder does not exist"), error.getMessage());
  }
}
