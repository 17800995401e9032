package org.structkd.internal;

import java.io.IOException;
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
    String platform = Loader.getPlatform();
    if (isMissing("org/bytedeco/pytorch/" + platform + "/libtorch_cpu.so")) {
      return failure(
          "LibTorch for %1$s is not on the class path: add org.bytedeco:pytorch-platform and build"
              + " with -Djavacpp.platform=%1$s",
          platform, null);
    }
    try {
      loadLibTorch(platform);
    } catch (LinkageError | IOException | RuntimeException e) {
      return failure(
          "LibTorch for %s could not be loaded; if LD_LIBRARY_PATH leads to another LibTorch, start"
              + " without it",
          platform, e);
    }
    if (isMissing("org/structkd/" + platform + "/libstructkd.so")) {
      return failure(
          "structkd has no native library for %1$s on the class path: add the dependency"
              + " org.structkd:structkd with <classifier>%1$s</classifier>; there is one for"
              + " linux-x86_64",
          platform, null);
    }
    try {
      Loader.load(NativeOps.class);
      CudaLibraries.prepare(platform);
      return null;
    } catch (StructkdException e) {
      return e; // a sentence already
    } catch (LinkageError | IOException | RuntimeException e) {
      return failure("structkd's native library for %s could not be loaded", platform, e);
    }
  }

  private static void loadLibTorch(String platform) throws IOException {
    // The preset opens libtorch.so before it has extracted libtorch_cpu.so. With an empty cache,
    // the
    // dynamic linker then takes a libtorch_cpu.so of the system, of whatever version, and the JVM
    // crashes. So all three are extracted first, side by side.
    for (String library : new String[] {"libc10.so", "libtorch_cpu.so", "libtorch.so"}) {
      Loader.cacheResource(torch.class, "/org/bytedeco/pytorch/" + platform + "/" + library);
    }
    Loader.load(torch.class);
  }

  private static boolean isMissing(String resource) {
    return NativeOps.class.getResource("/" + resource) == null;
  }

  private static StructkdException failure(
      String sentence, String platform, @Nullable Throwable cause) {
    Throwable root = cause;
    while (root != null && root.getCause() != null) {
      root = root.getCause(); // JavaCPP's own message only says where it looked last
    }
    String reason = root == null ? "" : " (" + root.getMessage() + ")";
    return new StructkdException(Status.LIBRARY, String.format(sentence, platform) + reason, cause);
  }
}
