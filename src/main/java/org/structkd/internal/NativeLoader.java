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
  private static final String ARTIFACT = "org.structkd:structkd";

  private NativeLoader() {}

  /** Initialised, and so loaded, by its first use on any thread. */
  private static final class Outcome {
    static final @Nullable StructkdException FAILURE = load();
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
    try {
      loadLibTorch(platform);
    } catch (LinkageError | IOException | RuntimeException e) {
      return failure(
          "LibTorch could not be loaded on "
              + platform
              + ": add org.bytedeco:pytorch-platform to the class path and build with"
              + " -Djavacpp.platform="
              + platform,
          e);
    }
    if (NativeOps.class.getResource("/" + resource(platform, "libstructkd.so")) == null) {
      return failure(
          "structkd has no native library for "
              + platform
              + " on the class path: add the dependency "
              + ARTIFACT
              + " with <classifier>"
              + platform
              + "</classifier>; there is one for linux-x86_64",
          null);
    }
    try {
      Loader.load(NativeOps.class);
      return null;
    } catch (LinkageError | RuntimeException e) {
      return failure("structkd's native library for " + platform + " could not be loaded", e);
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

  private static String resource(String platform, String file) {
    return "org/structkd/" + platform + "/" + file;
  }

  private static StructkdException failure(String sentence, @Nullable Throwable cause) {
    String reason = cause == null ? "" : " (" + cause.getMessage() + ")";
    return new StructkdException(Status.LIBRARY, sentence + reason, cause);
  }
}
