package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.loss.PairwiseLoss;
import org.structkd.testing.ChildJvm;

/** A JVM on a machine without a GPU says what is missing and keeps working on the CPU. */
class CudaLibrariesTest {
  /** Where builds with CUDA leave libstructkd_cuda.so. */
  private static final List<Path> BUILDS =
      List.of(Path.of("target/native/lib"), Path.of("target/cuda/lib"));

  @TempDir private Path temporary;

  /** The child JVM: asks twice for CUDA, computes on the CPU, asks again. */
  static final class Caller {
    public static void main(String[] folder) {
      NativeCall.of(
          () -> {
            NativeOps.lookForCudaIn(folder[0]);
            return true;
          });
      System.out.println(NativeOps.cudaProblem());
      System.out.println(NativeOps.cudaProblem());
      Tensor map = torch.ones(1, 2, 2, 2);
      Tensor none = PairwiseLoss.skdCvpr19().forward(map, map);
      System.out.println("loss " + none.item_double());
    }
  }

  @Test
  void withoutTheLibrarySaysWhichDependencyToAdd() throws Exception {
    List<String> lines = call(temporary);
    assertTrue(
        lines
            .get(0)
            .startsWith(
                "libstructkd_cuda.so cannot be used: add the dependency org.structkd:structkd with"
                    + " classifier linux-x86_64-gpu, or build the library"),
        lines.get(0));
    assertEquals(List.of(lines.get(0), lines.get(0), "loss 0.0"), lines);
  }

  @Test
  void aFileThatIsNoLibraryIsNamed() throws Exception {
    Files.writeString(temporary.resolve("libstructkd_cuda.so"), "nothing");
    List<String> lines = call(temporary);
    assertTrue(lines.get(0).contains(temporary + "/libstructkd_cuda.so"), lines.get(0));
    assertEquals("loss 0.0", lines.get(2));
  }

  @Test
  void withoutADriverSaysWhichOneToInstall() throws Exception {
    assumeTrue(!Files.exists(Path.of("/proc/driver/nvidia")), "this machine has a driver");
    Path build =
        BUILDS.stream()
            .filter(folder -> Files.exists(folder.resolve("libstructkd_cuda.so")))
            .findFirst()
            .orElse(null);
    assumeTrue(build != null, "libstructkd_cuda.so is not built: see docs/gpu.md");
    List<String> lines = call(build.toAbsolutePath());
    String sentence =
        "cuda: this machine has no NVIDIA driver, or this process cannot reach it: install driver"
            + " 580 or newer";
    assertEquals(List.of(sentence, sentence, "loss 0.0"), lines);
  }

  private static List<String> call(Path folder) throws Exception {
    List<String> lines =
        ChildJvm.run(
            "cuda",
            0,
            List.of(
                "-Xcheck:jni",
                "-cp",
                ChildJvm.classPath(entry -> entry),
                Caller.class.getName(),
                folder.toString()));
    assertFalse(lines.stream().anyMatch(line -> line.contains("WARNING")), lines.toString());
    return lines;
  }
}
