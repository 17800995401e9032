package org.structkd.internal;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** LibTorch's generator of the CPU, which its layers draw their initial weights from. */
public final class Generators {
  private Generators() {}

  /**
   * Runs something with the generator at a seed, and puts the generator back to where it was. One
   * thread at a time, so that those who make layers do not draw each other's numbers.
   *
   * @param seed as of {@code torch.manual_seed}
   * @param drawing draws
   * @return what it returned
   */
  public static synchronized <T> T seeded(long seed, Supplier<T> drawing) {
    Generator generator = torch.getDefaultCPUGenerator();
    Tensor before = generator.get_state();
    try {
      generator.set_current_seed(seed);
      return drawing.get();
    } finally {
      generator.set_state(before);
      before.close();
    }
  }
}
