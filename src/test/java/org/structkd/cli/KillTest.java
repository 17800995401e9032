package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.testing.ChildJvm;

/** Processes that are killed, stopped or run out of disk, and what is left of their runs. */
class KillTest {
  private static final int PATIENCE_SECONDS = 240;

  @TempDir private Path temp;

  /** Starts the command line in a process of its own; what it prints goes to a file. */
  private Process start(String prefix, List<Object> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add("bash");
    command.add("-c");
    // exec as the launcher does, so that signals arrive; where tests run in the background, a shell
    // has told its children to ignore Ctrl-C.
    command.add(prefix + " exec env --default-signal=INT \"$@\"");
    command.add("bash");
    command.addAll(ChildJvm.command(Main.class, arguments));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(output().toFile())
        .start();
  }

  private Path output() {
    return temp.resolve("output");
  }

  private int statusOf(Process process) throws InterruptedException, IOException {
    assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), Files.readString(output()));
    return process.exitValue();
  }

  private static List<Object> distill(Path folder) {
    return distill("gsskd", folder);
  }

  private static List<Object> distill(String recipe, Path folder) {
    return List.of(
        "distill",
        "--recipe=" + recipe,
        "--steps=80",
        "--seeds=1",
        "--set=data.test=20",
        "--set=data.validation=200",
        "--set=data.batch=2",
        "--set=student.width=2",
        "--set=train.checkpoint_every=7",
        "--threads=1",
        "--out=" + folder);
  }

  /** Waits until the log of a run has grown to a size. */
  private void awaitMetrics(Process process, Path folder, long bytes)
      throws IOException, InterruptedException {
    Path metrics = folder.resolve("metrics.csv");
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (process.isAlive() && (!Files.exists(metrics) || Files.size(metrics) < bytes)) {
      assertTrue(System.nanoTime() < end, "no progress: " + Files.readString(output()));
      Thread.sleep(2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gsskd", "sr-kd"})
  void killedAtAnyMomentARunEndsWithTheSameBits(String recipe) throws Exception {
    Path whole = temp.resolve("whole");
    assertEquals(0, statusOf(start("", distill(recipe, whole))), Files.readString(output()));
    long size = Files.size(whole.resolve("metrics.csv"));
    long seed = System.nanoTime();
    System.out.println("KillTest seed " + seed);
    Random random = new Random(seed);
    Path killed = temp.resolve("killed");
    int kills = 0;
    List<Object> command = distill(recipe, killed);
    for (int i = 1; i <= 3; i++) {
      Process process = start("", command);
      // Each time further on: resuming repeats at most what no checkpoint had.
      awaitMetrics(process, killed, size * i / 4 + random.nextInt(300));
      Thread.sleep(random.nextInt(10));
      kills += process.isAlive() ? 1 : 0;
      process.destroyForcibly().waitFor();
      command = List.of("distill", "--resume=" + killed);
    }
    assertTrue(kills >= 1, "every process had ended before it was killed");
    assertEquals(0, statusOf(start("", command)), Files.readString(output()));
    for (String name :
        new String[] {"alone-1.safetensors", "distilled-1.safetensors", "metrics.csv"}) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(name)),
          Files.readAllBytes(killed.resolve(name)),
          name + ", seed " + seed);
    }
  }

  @ParameterizedTest
  @CsvSource({"TERM, 143, 1", "INT, 130, 2"})
  void aSignalSavesAndSaysHowToGoOn(String signal, int status, int threads) throws Exception {
    Path folder = temp.resolve("run");
    Process process = start("", distill(folder));
    awaitMetrics(process, folder, 300);
    new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
    assertEquals(status, statusOf(process), Files.readString(output()));
    String said = Files.readString(output());
    assertTrue(said.contains("./structkd distill --resume " + folder), said);
    List<Object> resume = List.of("distill", "--resume=" + folder, "--threads=" + threads);
    int resumed = statusOf(start("", resume));
    said = Files.readString(output());
    assertEquals(0, resumed, said);
    assertTrue(Files.exists(folder.resolve("report.html")));
    assertEquals(threads != 1, said.contains("was written with threads 1, now it is 2"), said);
  }

  /** A limit on the size of files stands for a full disk: writing fails in the middle of a file. */
  @Test
  void aFullDiskIsSaidAndLeavesNoHalfFile() throws Exception {
    Path folder = temp.resolve("run");
    // 4 blocks of 1024 bytes: enough for settings and log, not for a checkpoint.
    int status = statusOf(start("ulimit -f 4; trap '' XFSZ;", distill(folder)));
    String said = Files.readString(output());
    assertEquals(1, status, said);
    assertTrue(said.contains(folder.resolve("alone-1.checkpoint") + " cannot be written: "), said);
    assertFalse(said.contains("\tat "), said);
    assertFalse(Files.exists(folder.resolve("alone-1.checkpoint")));
    assertFalse(Files.exists(folder.resolve("alone-1.checkpoint.part")));
  }
}
