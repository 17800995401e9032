package org.structkd.internal;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;
import org.structkd.Status;
import org.structkd.StructkdException;

/**
 * The libraries that run CUDA kernels: on a GPU, or on the CPU by the emulator of this project's
 * tests.
 */
public final class CudaLibraries {
  /** Set to "emulated", CPU tensors take the CUDA kernels, run thread by thread on the CPU. */
  static final String MODE = "structkd.cuda";

  /** Where the emulator's library is, if it is not where the build of a checkout leaves it. */
  static final String EMULATOR = "structkd.cuda.emulator";

  private static final String EMULATOR_BUILD = "target/emulated/lib/libstructkd_cuda_emulated.so";

  private CudaLibraries() {}

  /** What {@link NativeLoader} does last; nothing here needs a GPU. */
  static void prepare(String platform) throws IOException {
    // It comes from another jar than libstructkd_torch.so, so it is not beside it.
    File kernels = cached(platform, "libstructkd_cuda.so");
    if (kernels != null && cached(platform, "libstructkd_torch_cuda.so") != null) {
      NativeOps.lookForCudaIn(kernels.getParent());
    }
    String mode = System.getProperty(MODE, "");
    if (mode.equals("emulated")) {
      openEmulator();
      NativeOps.useBackend("cuda-emulated");
    } else if (!mode.isEmpty()) {
      throw new StructkdException(
          Status.LIBRARY, MODE + " is " + mode + ", expected emulated or nothing", null);
    }
  }

  private static @Nullable File cached(String platform, String library) throws IOException {
    return Loader.cacheResource(NativeOps.class, "/org/structkd/" + platform + "/" + library);
  }

  /**
   * Makes the backend "cuda-emulated" known; a second call does nothing.
   *
   * @throws StructkdException if its library is not there
   */
  public static void openEmulator() {
    Path library = Path.of(System.getProperty(EMULATOR, EMULATOR_BUILD)).toAbsolutePath();
    if (!Files.exists(library)) {
      throw new StructkdException(
          Status.LIBRARY,
          ("the emulator of CUDA kernels is not built: %s is missing; ./structkd"
                  + " test builds it, and -D%s names another place")
              .formatted(library, EMULATOR),
          null);
    }
    System.load(library.toString());
  }
}
