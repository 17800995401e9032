package org.structkd.internal;

import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.Status;
import org.structkd.StructkdException;

/**
 * Loads LibTorch and then structkd's native libraries, once per JVM.
 *
 * <p>A failure is kept and thrown by every {@link #require()}, with its reason: the first user sees
 * the same sentence as the thousandth, and never a NoClassDefFoundError.
 */
public final class NativeLoader {
  private NativeLoader() {}

  /** Initialised, and so loaded, by its first use on any thread. */
  private static final class Outcome {
    static final @Nullable StructkdException FAILURE = loadUninterrupted();

    /**
     * JavaCPP waits for files, and under an interrupted thread gives up; the classes of LibTorch
     * then cannot be used for the rest of the JVM's life. So the flag is put aside meanwhile.
     */
    private static @Nullable StructkdException loadUninterrupted() {
      boolean interrupted = Thread.interrupted();
      try {
        return load();
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }

  /**
   * Makes sure that {@link NativeOps} can be called.
   *
   * @throws StructkdException with {@link Status#LIBRARY} if it cannot
   */
  public static void require() {
    StructkdException failure = Outcome.FAILURE;
    if (failure != null) {
      // A new one each time: the trace must show this caller, and exceptions are mutable.
      throw new StructkdException(failure.status(), failure.getMessage(), failure.getCause());
    }
  }

  private static @Nullable StructkdException load() {
    String platform;
    Installation installation;
    try {
      platform = Loader.getPlatform();
      installation = new Installation(platform);
      String problem = installation.problem();
      if (problem != null) {
        return new StructkdException(Status.LIBRARY, problem, null);
      }
    } catch (NoClassDefFoundError | IOException e) {
      return withoutPresets(e);
    }
    try {
      loadLibTorch(installation);
    } catch (LinkageError | IOException | RuntimeException e) {
      return failure("LibTorch", platform, e);
    }
    try {
      loadOurs(installation);
      CudaLibraries.prepare(platform);
      return null;
    } catch (StructkdException e) {
      return e; // a sentence already
    } catch (LinkageError | IOException | RuntimeException e) {
      return failure("structkd's native library", platform, e);
    }
  }

  /**
   * The preset opens libtorch.so before it has extracted libtorch_cpu.so. With an empty cache, the
   * dynamic linker then takes a libtorch_cpu.so of the system, of whatever version, and the JVM
   * crashes. So all are extracted first, side by side.
   */
  private static void loadLibTorch(Installation installation) throws IOException {
    List<String> libraries =
        List.of("c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch"); // with CUDA all of them
    for (String extension : Installation.EXTENSIONS) {
      for (String library : libraries) {
        String name = installation.libTorch(extension, "lib" + library + ".so");
        URL found = Loader.findResource(torch.class, name);
        if (found != null && !found.getProtocol().equals("file")) {
          Loader.cacheResource(found);
        }
      }
    }
    Loader.load(torch.class);
  }

  /**
   * Loads our libraries without JavaCPP's Loader, which asks for internals of the JDK where it lies
   * in another class loader than this class; a JDK of 17 or newer refuses that.
   */
  private static void loadOurs(Installation installation) throws IOException {
    unpacked(installation.ours("libstructkd.so"));
    unpacked(installation.ours("libstructkd_torch.so"));
    Path bridge = unpacked(installation.ours("libjnistructkd.so"));
    try {
      System.load(bridge.toString());
    } catch (UnsatisfiedLinkError e) {
      if (!String.valueOf(e.getMessage()).contains("already loaded in another classloader")) {
        throw e;
      }
      loadCopy(bridge);
    }
    requireOurVersion();
  }

  /** A JVM gives a file to one class loader only: another one gets a copy, gone once it is open. */
  private static void loadCopy(Path bridge) throws IOException {
    Path copy = Files.createTempFile(Loader.getCacheDir().toPath(), "jnistructkd", ".so");
    try {
      Files.copy(bridge, copy, StandardCopyOption.REPLACE_EXISTING);
      System.load(copy.toString());
    } finally {
      Files.delete(copy);
    }
  }

  /** The open library may be another jar's or class loader's: one process has one of them. */
  private static void requireOurVersion() {
    String ours = Installation.built("structkd").replace("-SNAPSHOT", "");
    String loaded = NativeOps.version();
    if (!loaded.equals(ours)) {
      throw new StructkdException(
          Status.LIBRARY,
          String.format(
              "structkd's classes are of version %s, but its native library is of version %s: both"
                  + " dependencies need one version, and a JVM has room for one",
              ours, loaded),
          null);
    }
  }

  private static Path unpacked(String resource) throws IOException {
    URL found = Loader.findResource(NativeOps.class, resource);
    if (found == null) {
      throw new IOException(resource + " is not in the jar of structkd's natives");
    }
    return found.getProtocol().equals("file")
        ? Path.of(URI.create(found.toString()))
        : Loader.cacheResource(found).toPath();
  }

  private static StructkdException withoutPresets(Throwable cause) {
    return new StructkdException(
        Status.LIBRARY,
        String.format(
            "classes of LibTorch's preset are missing: depend on org.bytedeco:pytorch:%s (%s)",
            Installation.built("pytorch"), cause.getMessage()),
        cause);
  }

  private static StructkdException failure(String what, String platform, Throwable cause) {
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause(); // JavaCPP's own message only says where it looked last
    }
    String reason = String.valueOf(root.getMessage());
    return new StructkdException(
        Status.LIBRARY,
        String.format(
            "%s for %s could not be loaded; %s (%s)", what, platform, advice(root, reason), reason),
        cause);
  }

  /** What helps, by what the dynamic linker or the file system said. */
  private static String advice(Throwable error, String reason) {
    if (error instanceof IOException) {
      return "JavaCPP unpacks 450 MB into its cache: name a folder that can be written by"
          + " -Dorg.bytedeco.javacpp.cachedir";
    }
    if (reason.contains("failed to map segment")) {
      return "programs may not be run from the folder of JavaCPP's cache: name another one by"
          + " -Dorg.bytedeco.javacpp.cachedir";
    }
    if (reason.contains("GLIBC")) {
      return "this system's C or C++ library is too old: GLIBC 2.35 or newer is needed";
    }
    if (reason.matches("(?s).*\\blib(cu|nccl|nv)\\w*\\.so.*")) {
      return "LibTorch for GPUs needs the libraries of CUDA: see docs/gpu.md";
    }
    return "if LD_LIBRARY_PATH leads to another LibTorch, start without it";
  }
}
