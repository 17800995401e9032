package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.testing.ChildJvm;
import org.structkd.testing.Objectives;

class StopSignalTest {
  private static final int PATIENCE_SECONDS = 240;

  @TempDir private Path folder;

  /** A user's program: trains until it is done or gets a signal, and says when it may get one. */
  static final class Program {
    private static final int STEPS = 60;

    public static void main(String[] arguments) throws IOException {
      Path folder = Path.of(arguments[0]);
      long waitAt = Long.parseLong(arguments[1]);
      torch.set_num_threads(1);
      try (StopSignal stop = StopSignal.onSignals();
          PointerScope scope = new PointerScope()) {
        Objective objective = Objectives.supervised();
        SegmentationNet student =
            new SegmentationNet(new SegmentationNet.Config(1, 2, FashionScenes.CLASSES), 1);
        TrainingListener pause =
            atStep(
                waitAt,
                () -> {
                  System.out.println("ready");
                  while (!stop.isRequested()) {
                    Thread.onSpinWait();
                  }
                });
        TrainingOutcome outcome =
            new Distiller(
                    TrainingConfig.of(STEPS, 0.01),
                    objective,
                    SceneBatches.of(FashionScenes.bundled(), 2))
                .withCheckpoint(folder.resolve("student.checkpoint"))
                .withListener(
                    MetricsCsv.open(folder.resolve("metrics.csv"), "miou", objective)
                        .listener("student"))
                .withListener(pause)
                .withStop(stop)
                .train(student);
        if (outcome.complete()) {
          AtomicFile.write(folder.resolve("student.weights"), student.toFile(Map.of())::write);
        }
      }
    }
  }

  private static Process start(Path folder, long waitAt) throws IOException {
    Files.createDirectories(folder);
    List<String> command = ChildJvm.command(Program.class, List.of(folder, waitAt));
    return new ProcessBuilder(command).redirectError(folder.resolve("errors").toFile()).start();
  }

  private static int statusOf(Process process) throws InterruptedException {
    assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS));
    return process.exitValue();
  }

  @Test
  void aSignalEndsAUsersProgramWithEverythingSaved() throws Exception {
    Path whole = folder.resolve("whole");
    assertEquals(0, statusOf(start(whole, -1)));
    Path stopped = folder.resolve("stopped");
    Process process = start(stopped, 33);
    assertEquals("ready", process.inputReader().readLine());
    process.destroy(); // SIGTERM
    assertEquals(143, statusOf(process), Files.readString(stopped.resolve("errors")));
    assertTrue(Files.exists(stopped.resolve("student.checkpoint")));
    assertFalse(Files.exists(stopped.resolve("student.weights")));
    assertEquals(0, statusOf(start(stopped, -1)), Files.readString(stopped.resolve("errors")));
    for (String name : new String[] {"student.weights", "metrics.csv"}) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(name)), Files.readAllBytes(stopped.resolve(name)), name);
    }
  }
}
