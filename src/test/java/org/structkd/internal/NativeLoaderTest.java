package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.StructkdException;
import org.structkd.cli.Main;
import org.structkd.testing.ChildJvm;
import org.structkd.testing.Jars;

/**
 * What a user's JVM says when something is missing or wrong: each case runs in a JVM of its own.
 */
class NativeLoaderTest {
  private static final String CLASS_PATH = ChildJvm.classPath(entry -> entry);
  private static final Path CLASSES = Path.of("target/classes").toAbsolutePath();
  private static final String MAIN = Main.class.getName();
  private static final String OLD = "2.7.1-1.5.12";

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
        ChildJvm.run(
            InterruptedCaller.class, CLASS_PATH, "-Dorg.bytedeco.javacpp.cachedir=" + temporary);
    assertEquals(List.of("version 0.1.0", "version 0.1.0", "interrupted true"), lines);
  }

  @Test
  void withoutOurNativesSaysWhichDependencyToAdd() throws Exception {
    assertRefused(
        "structkd's natives for linux-x86_64 are not on the class path: add the dependency"
            + " org.structkd:structkd:0.1.0-SNAPSHOT with <classifier>linux-x86_64</classifier>",
        call(withOurClasses("org/structkd/linux-x86_64/")));
  }

  @ParameterizedTest
  @CsvSource({
    "LibTorch, pytorch, 2.10.0-1.5.13",
    "OpenBLAS, openblas, 0.3.31-1.5.13",
  })
  void withoutNativesOfThePresetsSaysWhichDependencyToAdd(
      String name, String artifact, String version) throws Exception {
    assertRefused(
        name
            + "'s natives for linux-x86_64 are not on the class path: add the dependency"
            + " org.bytedeco:%s:%s with <classifier>linux-x86_64</classifier>"
                .formatted(artifact, version),
        call(ChildJvm.classPath(entry -> isNatives(entry, artifact) ? "" : entry)));
  }

  @Test
  void anotherPlatformIsRefusedBeforeItsNativesAreAskedFor() throws Exception {
    assertRefused(
        "structkd has no native library for linux-arm64, only for linux-x86_64; this is Linux on "
            + System.getProperty("os.arch")
            + ", but the system property org.bytedeco.javacpp.platform is linux-arm64",
        call(CLASS_PATH, "-Dorg.bytedeco.javacpp.platform=linux-arm64"));
  }

  @Test
  void anotherLibTorchIsRefused() throws Exception {
    String classPath = withVersion("pytorch", OLD);
    assertRefused(
        ("LibTorch is %s (jar:file:%s!/), but structkd was built with 2.10.0-1.5.13:"
                + " depend on org.bytedeco:pytorch:2.10.0-1.5.13 and on its classifier"
                + " linux-x86_64")
            .formatted(OLD, temporary.resolve("pytorch.jar")),
        call(classPath));
  }

  @ParameterizedTest
  @ValueSource(strings = {"linux-x86_64", "linux-x86_64-gpu"})
  void nativesOfAnotherLibTorchAreRefused(String folder) throws Exception {
    write("org/bytedeco/pytorch/" + folder + "/libtorch_cpu.so", "not to be opened");
    write("META-INF/maven/org.bytedeco/pytorch/pom.properties", "version=" + OLD);
    String classPath =
        ChildJvm.classPath(entry -> isNatives(entry, "pytorch") ? temporary.toString() : entry);
    assertRefused(
        ("LibTorch is %s (file:%s/), but structkd was built with 2.10.0-1.5.13:"
                + " depend on org.bytedeco:pytorch:2.10.0-1.5.13 and on its classifier"
                + " linux-x86_64")
            .formatted(OLD, temporary),
        call(classPath));
  }

  @Test
  void anOlderJavaCppIsRefused() throws Exception {
    List<String> lines = call(withVersion("javacpp", "1.5.9"));
    assertTrue(lines.get(0).startsWith("LIBRARY: JavaCPP is 1.5.9 ("), lines.toString());
    assertTrue(lines.get(0).contains("depend on org.bytedeco:javacpp:1.5.13"), lines.toString());
  }

  @Test
  void aNewerJavaCppIsNotRefused() throws Exception {
    assertEquals(List.of("version 0.1.0", "version 0.1.0"), call(withVersion("javacpp", "1.5.14")));
  }

  @Test
  void nativesOfAnotherStructkdAreRefused() throws Exception {
    String properties = "org/structkd/internal/build.properties";
    String classPath = withOurClasses(properties);
    String build = Files.readString(CLASSES.resolve(properties));
    write("own/" + properties, build.replace("structkd=0.1.0", "structkd=0.9.0"));
    assertRefused(
        "structkd's classes are of version 0.9.0, but its native library is of version 0.1.0: both"
            + " dependencies need one version, and a JVM has room for one",
        call(temporary.resolve("own") + ":" + classPath));
  }

  @Test
  void withoutAFolderToUnpackToSaysHowToNameOne() throws Exception {
    List<String> lines = call(CLASS_PATH, "-Duser.home=/proc/none", "-Djava.io.tmpdir=/proc/none");
    assertTrue(
        lines
            .get(0)
            .startsWith(
                "LIBRARY: LibTorch for linux-x86_64 could not be loaded; JavaCPP unpacks 450 MB into"
                    + " its cache: name a folder that can be written by"
                    + " -Dorg.bytedeco.javacpp.cachedir ("),
        lines.toString());
  }

  @Test
  void muslIsToldByWhatIsMapped() throws IOException {
    assertTrue(Installation.isMusl(maps("/lib/ld-musl-x86_64.so.1")));
    assertTrue(Installation.isMusl(maps("/usr/lib/libc.musl-x86_64.so.1")));
    assertFalse(Installation.isMusl(maps("/usr/lib/x86_64-linux-gnu/libc.so.6")));
    assertFalse(Installation.isMusl(Path.of("/proc/self/maps")));
    assertFalse(Installation.isMusl(temporary.resolve("none")));
  }

  /** With another LibTorch the doctor tells what it can, and ends. */
  @Test
  void theDoctorSurvivesAnotherLibTorch() throws Exception {
    List<String> lines =
        ChildJvm.run("doctor", 1, List.of("-cp", withVersion("pytorch", OLD), MAIN, "doctor"));
    assertTrue(lines.stream().anyMatch(line -> line.startsWith("LibTorch   " + OLD)));
    assertTrue(
        lines.get(lines.size() - 1).startsWith("FAIL       LibTorch is " + OLD), lines.toString());
  }

  @Test
  void anUnknownKindOfCudaIsRefused() throws Exception {
    assertRefused(
        "structkd.cuda is gpu, expected emulated or nothing",
        call(CLASS_PATH, "-Dstructkd.cuda=gpu"));
  }

  @Test
  void withoutTheEmulatorSaysWhatBuildsIt() throws Exception {
    Path missing = temporary.resolve("emulator.so");
    assertRefused(
        "the emulator of CUDA kernels is not built: "
            + missing
            + " is missing; ./structkd test builds it, and -Dstructkd.cuda.emulator names another"
            + " place",
        call(CLASS_PATH, "-Dstructkd.cuda=emulated", "-Dstructkd.cuda.emulator=" + missing));
  }

  private static List<String> call(String classPath, String... options) throws Exception {
    return ChildJvm.run(Caller.class, classPath, options);
  }

  private static void assertRefused(String sentence, List<String> lines) {
    assertEquals(List.of("LIBRARY: " + sentence, "LIBRARY: " + sentence), lines);
  }

  private static boolean isNatives(String entry, String artifact) {
    return entry.matches(".*/" + artifact + "-[^/]*-linux-x86_64\\.jar");
  }

  /** The class path with our classes in a jar, but for those whose names begin so. */
  private String withOurClasses(String without) throws IOException {
    Path jar = temporary.resolve("ours.jar");
    Jars.pack(jar, "org.structkd", CLASSES, name -> !name.startsWith(without));
    return ChildJvm.classPath(entry -> entry.equals(CLASSES.toString()) ? jar.toString() : entry);
  }

  /** The class path with a jar of classes that says that it is of another version. */
  private String withVersion(String artifact, String version) throws IOException {
    String properties = "META-INF/maven/org.bytedeco/" + artifact + "/pom.properties";
    String classes = ".*/" + artifact + "-[0-9.]+(-[0-9.]+)?\\.jar";
    String original = ChildJvm.classPath(entry -> entry.matches(classes) ? entry : "");
    Path jar = temporary.resolve(artifact + ".jar");
    byte[] text = ("version=" + version).getBytes(StandardCharsets.UTF_8);
    Jars.replace(jar, Path.of(original), properties, text);
    return ChildJvm.classPath(entry -> entry.equals(original) ? jar.toString() : entry);
  }

  private void write(String file, String text) throws IOException {
    Path path = temporary.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private Path maps(String file) throws IOException {
    String line = "7f2c1a000000-7f2c1a028000 r--p 00000000 00:2f 131 " + file + "\n";
    return Files.writeString(temporary.resolve("maps"), line);
  }
}
