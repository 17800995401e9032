package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.model.SegmentationNet;
import org.structkd.run.StudentExport;
import org.structkd.testing.ChildJvm;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;

/**
 * What a disk that is full leaves: the last good state, and a sentence. A child process may write
 * files of 64 KB and no longer, which fails as a full disk does, in the middle of a file.
 */
@InScope(threads = 1)
class FullDiskTest {
  private static final String TOO_LARGE = "cannot be written: File too large";

  @TempDir private Path folder;

  /** What the child does. */
  static final class Child {
    public static void main(String[] arguments) throws IOException {
      Path folder = Path.of(arguments[1]);
      try (SegmentationNet student = net(8, 1)) {
        switch (arguments[0]) {
          case "checkpoint" -> distiller(folder, 4).train(student);
          case "export" -> new StudentExport(student).write(folder.resolve("served"));
          default ->
              System.out.println(
                  distiller(folder, 2)
                      .withTeacherCache("", new TeacherCache(folder.resolve("cache")))
                      .train(student)
                      .complete());
        }
      } catch (IOException e) {
        System.out.println(e.getMessage());
      }
      System.out.flush();
      Runtime.getRuntime().halt(0);
    }
  }

  private static Distiller distiller(Path folder, long steps) {
    Distiller distiller =
        new Distiller(
                TrainingConfig.of(steps, 0.01).withCheckpointEvery(steps == 4 ? 2 : 0),
                Objectives.skd(),
                SceneBatches.of(FashionScenes.bundled(), 16))
            .withTeacher(net(8, 7));
    return steps == 4 ? distiller.withCheckpoint(folder.resolve("checkpoint")) : distiller;
  }

  private List<String> limited(String what) throws IOException, InterruptedException {
    Process child =
        new ProcessBuilder(
                "bash",
                "-c",
                "ulimit -f 64 && exec \"$@\"",
                "bash",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:-UsePerfData",
                "-cp",
                ChildJvm.classPath(entry -> entry),
                Child.class.getName(),
                what,
                folder.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String out = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, child.waitFor(), out);
    return out.lines().toList();
  }

  private List<String> left() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files
          .filter(file -> !file.equals(folder))
          .map(file -> folder.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void theLastCheckpointStays() throws Exception {
    StopSignal stop = new StopSignal();
    try (SegmentationNet student = net(8, 1)) {
      Distiller stopped = distiller(folder, 4).withStop(stop);
      stopped.withListener(atStep(1, stop::request));
      assertEquals(2, stopped.train(student).stepsDone());
    }
    Path checkpoint = folder.resolve("checkpoint");
    byte[] before = Files.readAllBytes(checkpoint);
    assertTrue(before.length > 1 << 16, "the file must be longer than the child may write");
    assertEquals(List.of(checkpoint + " " + TOO_LARGE), limited("checkpoint"));
    assertArrayEquals(before, Files.readAllBytes(checkpoint));
    assertEquals(List.of("checkpoint"), left());
    try (SegmentationNet student = net(8, 1)) {
      assertTrue(distiller(folder, 4).train(student).complete(), "it goes on where there is room");
    }
  }

  @Test
  void anExportLeavesNothing() throws Exception {
    List<String> told = limited("export");
    assertEquals(1, told.size(), told.toString());
    assertTrue(told.get(0).endsWith("student.pt " + TOO_LARGE), told.toString());
    assertEquals(List.of(), left());
  }

  @Test
  void aTrainingGoesOnWithoutItsCache() throws Exception {
    assertEquals(List.of("true"), limited("cache"));
    assertEquals(List.of("cache"), left());
  }
}
