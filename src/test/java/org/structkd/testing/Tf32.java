package org.structkd.testing;

import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.global.torch;

/**
 * Turns off TF32, in which LibTorch computes f32 convolutions on a GPU unless it is told not to:
 * with the 10 bits of its mantissa nothing could be compared with the CPU. Closing sets back what
 * was.
 */
public final class Tf32 implements AutoCloseable {
  private final boolean ofConvolutions;
  private final boolean ofProducts;

  private Tf32(Context context) {
    ofConvolutions = context.allowTF32CuDNN();
    ofProducts = context.allowTF32CuBLAS();
  }

  /** Begins; try-with-resources ends it. */
  public static Tf32 off() {
    Tf32 before = new Tf32(torch.globalContext());
    set(false, false);
    return before;
  }

  @Override
  public void close() {
    set(ofConvolutions, ofProducts);
  }

  private static void set(boolean ofConvolutions, boolean ofProducts) {
    Context context = torch.globalContext();
    context.setAllowTF32CuDNN(ofConvolutions);
    context.setAllowTF32CuBLAS(ofProducts);
  }
}
