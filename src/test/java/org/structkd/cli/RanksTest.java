package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.run.RunException;
import org.structkd.testing.ChildJvm;
import org.structkd.testing.InRanks;
import picocli.CommandLine;

/** {@code distill} in two processes, as a launcher starts them. */
class RanksTest {
  private static final int PATIENCE_SECONDS = 120;

  @TempDir private Path temp;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endAll() {
    started.forEach(Process::destroyForcibly);
  }

  private Process start(String name, Map<String, String> environment, Object... arguments)
      throws IOException {
    List<String> command = ChildJvm.command(Main.class, List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output(name).toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private Path output(String name) {
    return temp.resolve(name + ".out");
  }

  private String said(String name) throws IOException {
    return Files.readString(output(name));
  }

  private void assertEnds(int status, Process process, String name) throws Exception {
    assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), said(name));
    assertEquals(status, process.exitValue(), said(name));
  }

  private static Map<String, String> rank(int rank, int port) {
    return Map.of(
        "RANK",
        Integer.toString(rank),
        "WORLD_SIZE",
        "2",
        "MASTER_ADDR",
        "localhost",
        "MASTER_PORT",
        Integer.toString(port));
  }

  private Object[] distill(Path folder, int steps) {
    return new Object[] {
      "distill",
      "--recipe=ratings",
      "--steps=" + steps,
      "--seeds=1",
      "--set=train.checkpoint_every=5",
      "--threads=1",
      "--out=" + folder
    };
  }

  private void awaitCheckpoint(Path checkpoint, Process process, String name) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (process.isAlive() && !Files.exists(checkpoint)) {
      assertTrue(System.nanoTime() < end, said(name));
      Thread.sleep(5);
    }
  }

  @Test
  void aRunOfTwoRanksSurvivesDeathAndSignals() throws Exception {
    Path folder = temp.resolve("run");
    Path checkpoint = folder.resolve("alone-1.checkpoint");
    int port = InRanks.freePort();
    Process first = start("first", rank(0, port), distill(folder, 100_000));
    Process second = start("second", rank(1, port), distill(temp.resolve("unused"), 100_000));
    awaitCheckpoint(checkpoint, first, "first");
    second.destroyForcibly();
    assertEnds(1, first, "first");
    assertTrue(
        said("first").contains("structkd: rank 0 of 2 has lost another rank"), said("first"));
    assertFalse(said("first").contains("\tat "), said("first"));
    assertFalse(Files.exists(temp.resolve("unused")));

    port = InRanks.freePort();
    Object[] resume = {"distill", "--resume=" + folder};
    first = start("again", rank(0, port), resume);
    second = start("second again", rank(1, port), resume);
    long before = Files.getLastModifiedTime(checkpoint).toMillis();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (first.isAlive() && Files.getLastModifiedTime(checkpoint).toMillis() == before) {
      assertTrue(System.nanoTime() < end, said("again"));
      Thread.sleep(5);
    }
    second.destroy(); // SIGTERM to one of them
    assertEnds(143, second, "second again");
    assertEnds(130, first, "again");
    assertTrue(said("again").contains("./structkd distill --resume " + folder), said("again"));
    assertFalse(said("second again").contains("--resume"), said("second again"));
  }

  @Test
  void twoRanksWriteOneRun() throws Exception {
    Path folder = temp.resolve("run");
    int port = InRanks.freePort();
    Process first = start("first", rank(0, port), distill(folder, 20));
    Process second = start("second", rank(1, port), distill(temp.resolve("unused"), 20));
    assertEnds(0, first, "first");
    assertEnds(0, second, "second");
    assertTrue(Files.exists(folder.resolve("report.html")));
    assertTrue(Files.exists(folder.resolve("distilled-1.safetensors")));
    assertTrue(said("first").contains("looks at all examples of a batch together"), said("first"));
    assertFalse(Files.exists(temp.resolve("unused")));
  }

  @Test
  void variablesThatMakeNoSenseAreRefused() {
    RankOptions options = CommandLine.populateCommand(new RankOptions());
    refused(
        RunException.class,
        "RANK is missing, although WORLD_SIZE is 2: a launcher of several processes sets RANK,"
            + " WORLD_SIZE, MASTER_ADDR and MASTER_PORT",
        () -> options.join(Map.of("WORLD_SIZE", "2")));
    refused(
        RunException.class,
        "--rank-timeout must be 1 second or more but is 0",
        () -> CommandLine.populateCommand(new RankOptions(), "--rank-timeout=0").join(Map.of()));
    assertEquals(1, options.join(Map.of()).worldSize());
    refused(
        RunException.class,
        "compare is the work of one process, but WORLD_SIZE is 2: start it without a launcher;"
            + " distill trains data-parallel",
        () -> RankOptions.requireAlone("compare", rank(0, 1)));
    RankOptions.requireAlone("compare", Map.of());
  }

  @Test
  void cudaIsTheDeviceThatTheLauncherGives() {
    Map<String, String> third = Map.of("WORLD_SIZE", "4", "LOCAL_RANK", "3");
    assertEquals("cuda:3", RankOptions.device("cuda", third));
    assertEquals("cuda:1", RankOptions.device("cuda:1", third));
    assertEquals("cpu", RankOptions.device("cpu", third));
    assertEquals("cuda", RankOptions.device("cuda", Map.of()));
  }
}
