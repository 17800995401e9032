package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.StructkdException;

/** What a user's JVM sees on its first call: each case runs in a JVM of its own. */
class NativeLoaderTest {
  private static final String CLASS_PATH = System.getProperty("java.class.path");
  private static final Path CLASSES = Path.of("target/classes").toAbsolutePath();

  @TempDir private Path temporary;

  /** The child JVM: calls twice, as the second failure must be as clear as the first. */
  static final class Caller {
    public static void main(String[] args) {
      for (int call = 0; call < 2; call++) {
        try {
          System.out.println("version " + NativeCall.of(NativeOps::version));
        } catch (StructkdException e) {
          System.out.println(e.status() + ": " + e.getMessage());
        }
      }
    }
  }

  @Test
  void loadsFromAnEmptyCache() throws Exception {
    List<String> lines = call(CLASS_PATH, "-Dorg.bytedeco.javacpp.cachedir=" + temporary);
    assertEquals(List.of("version 0.1.0", "version 0.1.0"), lines);
  }

  /** As a task of a pool that was cancelled before: the flag must not spoil LibTorch for all. */
  static final class InterruptedCaller {
    public static void main(String[] args) {
      Thread.currentThread().interrupt();
      Caller.main(args);
      System.out.println("interrupted " + Thread.currentThread().isInterrupted());
    }
  }

  @Test
  void loadsFromAnEmptyCacheOnAnInterruptedThread() throws Exception {
    List<String> lines =
        call(InterruptedCaller.class, CLASS_PATH, "-Dorg.bytedeco.javacpp.cachedir=" + temporary);
    assertEquals(List.of("version 0.1.0", "version 0.1.0", "interrupted true"), lines);
  }

  @Test
  void withoutOurNativesSaysWhichDependencyToAdd() throws Exception {
    copyClasses(CLASSES, temporary);
    List<String> lines = call(CLASS_PATH.replace(CLASSES.toString(), temporary.toString()));
    String sentence =
        "LIBRARY: structkd has no native library for linux-x86_64 on the class path: add the"
            + " dependency org.structkd:structkd with <classifier>linux-x86_64</classifier>; there"
            + " is one for linux-x86_64";
    assertEquals(List.of(sentence, sentence), lines);
  }

  @Test
  void withoutLibTorchForThePlatformSaysWhatToAdd() throws Exception {
    List<String> lines = call(CLASS_PATH, "-Dorg.bytedeco.javacpp.platform=linux-arm64");
    String sentence =
        "LIBRARY: LibTorch for linux-arm64 is not on the class path: add"
            + " org.bytedeco:pytorch-platform and build with -Djavacpp.platform=linux-arm64";
    assertEquals(List.of(sentence, sentence), lines);
  }

  @Test
  void anUnknownKindOfCudaIsRefused() throws Exception {
    String sentence = "LIBRARY: structkd.cuda is gpu, expected emulated or nothing";
    assertEquals(List.of(sentence, sentence), call(CLASS_PATH, "-Dstructkd.cuda=gpu"));
  }

  @Test
  void withoutTheEmulatorSaysWhatBuildsIt() throws Exception {
    Path missing = temporary.resolve("emulator.so");
    String sentence =
        "LIBRARY: the emulator of CUDA kernels is not built: "
            + missing
            + " is missing; ./structkd test builds it, and -Dstructkd.cuda.emulator names another"
            + " place";
    List<String> lines =
        call(CLASS_PATH, "-Dstructkd.cuda=emulated", "-Dstructkd.cuda.emulator=" + missing);
    assertEquals(List.of(sentence, sentence), lines);
  }

  /** The lines that a child JVM prints to stdout. */
  private static List<String> call(String classPath, String... options) throws Exception {
    return call(Caller.class, classPath, options);
  }

  private static List<String> call(Class<?> main, String classPath, String... options)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", classPath, main.getName()));
    Process child =
        new ProcessBuilder(command)
            .redirectError(new File("target/native-loader-test.log"))
            .start();
    String out = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, child.waitFor(), out);
    return out.lines().toList();
  }

  private static void copyClasses(Path from, Path to) throws IOException {
    List<Path> classes;
    try (Stream<Path> files = Files.walk(from)) {
      classes = files.filter(f -> f.toString().endsWith(".class")).toList();
    }
    for (Path source : classes) {
      Path target = to.resolve(from.relativize(source));
      Files.createDirectories(target.getParent());
      Files.copy(source, target);
    }
  }
}
