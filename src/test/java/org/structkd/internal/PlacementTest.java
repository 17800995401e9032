package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.example.app.Caller;
import com.example.app.Plugins;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.spi.ToolProvider;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.ChildJvm;
import org.structkd.testing.Jars;

/** Wherever a user's build puts the library, it computes; each case in a JVM of its own. */
class PlacementTest {
  private static final String LOSS = "loss 0.0 of skd";
  private static final List<String> TWO_LOSSES = List.of(LOSS, LOSS);
  private static final String PLUGINS = Plugins.class.getName();
  private static final Path CLASSES = Path.of("target/classes").toAbsolutePath();
  private static final Path APP = Path.of("target/test-classes").toAbsolutePath();
  private static final String CALLER = "src/test/java/com/example/app/Caller.java";
  private static final String NATIVES = "org/structkd/linux-x86_64/";
  private static final String NATIVE_MODULES =
      "org.bytedeco.pytorch.linux.x86_64,org.bytedeco.openblas.linux.x86_64,"
          + "org.bytedeco.javacpp.linux.x86_64,org.structkd.linux.x86_64";

  @TempDir private Path temporary;

  @Test
  void modulesFindNativesInOtherModules() throws Exception {
    assertEquals(TWO_LOSSES, runModules("--add-modules", NATIVE_MODULES));
  }

  @Test
  void modulesThatNobodyAskedForAreNamed() throws Exception {
    List<String> lines = runModules();
    assertTrue(lines.get(0).endsWith("java --add-modules " + NATIVE_MODULES), lines.toString());
    assertEquals(lines.get(0), lines.get(1));
  }

  @Test
  void pluginsMayBringEverything() throws Exception {
    assertEquals(
        List.of(LOSS, LOSS, LOSS),
        ChildJvm.run("plugins", 0, List.of("-cp", APP.toString(), PLUGINS, "", everything())));
  }

  @Test
  void pluginsMayShareThePresets() throws Exception {
    String presets = ChildJvm.classPath(entry -> entry.endsWith(".jar") ? entry : "");
    String own = APP + File.pathSeparator + CLASSES;
    assertEquals(
        List.of(LOSS, LOSS, LOSS),
        ChildJvm.run("plugins", 0, List.of("-cp", APP.toString(), PLUGINS, presets, own)));
  }

  /** Of LibTorch only the classifier linux-x86_64-gpu: here with the libraries of the other one. */
  @Test
  void libTorchForGpusAloneIsEnough() throws Exception {
    Path libraries = temporary.resolve("org/bytedeco/pytorch/linux-x86_64-gpu");
    Files.createDirectories(libraries);
    linkLibTorchFrom(libraries);
    String classPath =
        ChildJvm.classPath(entry -> isLibTorchForCpu(entry) ? temporary.toString() : entry);
    assertEquals(TWO_LOSSES, ChildJvm.run(Caller.class, classPath));
  }

  /** Where the home cannot be written, JavaCPP unpacks into the folder of temporary files. */
  @Test
  void oneShadedJarIsEnoughAndAReadOnlyHomeNoHindrance() throws Exception {
    List<Path> jars = new ArrayList<>();
    jars.add(Jars.pack(temporary.resolve("structkd.jar"), "a", CLASSES, name -> true));
    jars.add(pack("caller.jar", "b", APP, "com/example/app/"));
    for (String entry : everything().split(File.pathSeparator)) {
      if (entry.endsWith(".jar")) {
        jars.add(Path.of(entry));
      }
    }
    Path shaded = Jars.merge(temporary.resolve("app.jar"), jars);
    assertEquals(
        TWO_LOSSES,
        ChildJvm.run(
            Caller.class,
            shaded.toString(),
            "-Duser.home=/proc/none",
            "-Djava.io.tmpdir=" + temporary));
  }

  private static String everything() {
    return ChildJvm.classPath(entry -> entry);
  }

  /** The caller as a module, and what it needs as others; what the JVM's options ask for. */
  private List<String> runModules(String... options) throws Exception {
    List<String> path = new ArrayList<>();
    path.add(pack("structkd.jar", "org.structkd", CLASSES, "").toString());
    path.add(pack("natives.jar", "org.structkd.linux.x86_64", CLASSES, NATIVES).toString());
    for (String entry : everything().split(File.pathSeparator)) {
      if (entry.matches(
          ".*/(javacpp|openblas|pytorch|jspecify|slf4j-api|jackson-.*|snakeyaml)-[0-9][^/]*\\.jar")) {
        path.add(entry);
      }
    }
    path.add(callersModule(String.join(File.pathSeparator, path)).toString());
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("-p", String.join(File.pathSeparator, path)));
    arguments.addAll(List.of(options));
    arguments.addAll(List.of("-m", "com.example.app/" + Caller.class.getName()));
    return ChildJvm.run("modules", 0, arguments);
  }

  /** Compiles the caller as a module that requires the library's alone. */
  private Path callersModule(String modulePath) throws IOException {
    Path module = Files.createDirectories(temporary.resolve("app"));
    Path info = temporary.resolve("module-info.java");
    Files.writeString(info, "module com.example.app { requires org.structkd; }");
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(
                System.out,
                System.err,
                List.of("-d", module.toString(), "-p", modulePath, info.toString(), CALLER)
                    .toArray(String[]::new));
    assertEquals(0, status, "javac");
    return module;
  }

  /** A jar of what begins so; "" is for all that is not in the jar of the natives. */
  private Path pack(String jar, String module, Path folder, String prefix) throws IOException {
    return Jars.pack(
        temporary.resolve(jar),
        module,
        folder,
        name -> prefix.isEmpty() ? !name.startsWith(NATIVES) : name.startsWith(prefix));
  }

  private static boolean isLibTorchForCpu(String entry) {
    return entry.matches(".*/pytorch-[^/]*-linux-x86_64\\.jar");
  }

  /** Links to the libraries that JavaCPP has unpacked for this JVM, or unpacks now. */
  private static void linkLibTorchFrom(Path folder) throws IOException {
    String jar = ChildJvm.classPath(entry -> isLibTorchForCpu(entry) ? entry : "");
    try (JarFile in = new JarFile(jar)) {
      for (JarEntry entry : in.stream().filter(e -> e.getName().contains(".so")).toList()) {
        Path library = Loader.cacheResource(torch.class, "/" + entry.getName()).toPath();
        Files.createSymbolicLink(folder.resolve(library.getFileName()), library);
      }
    }
  }
}
