package org.structkd.verify;

import org.bytedeco.pytorch.global.torch.DeviceType;
import org.structkd.Status;
import org.structkd.StructkdException;
import org.structkd.internal.CudaLibraries;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/** Where kernels run. */
public enum Backend {
  REFERENCE("reference"),
  CPU("cpu"),
  CUDA("cuda"),
  CUDA_EMULATED("cuda-emulated"),
  /** It has no kernels: losses are composed of LibTorch's operators. */
  COMPOSED("composed");

  private final String text;

  Backend(String text) {
    this.text = text;
  }

  /** Ends what {@link #use} began. */
  public interface Use extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Sends the tensors of {@link #device} to this backend until the result is closed.
   *
   * @throws StructkdException if it is not available
   */
  public Use use() {
    if (this == CUDA) {
      String problem = NativeCall.of(NativeOps::cudaProblem);
      if (!problem.isEmpty()) {
        throw new StructkdException(Status.CUDA, problem, null);
      }
      return () -> {}; // CUDA tensors find it by themselves
    }
    String before =
        NativeCall.of(
            () -> {
              if (this == CUDA_EMULATED) {
                CudaLibraries.openEmulator();
              }
              return NativeOps.useBackend(text);
            });
    return () -> NativeOps.useBackend(before);
  }

  /** {@return the device of the tensors that the backend takes} */
  public DeviceType device() {
    return this == CUDA ? DeviceType.CUDA : DeviceType.CPU;
  }

  @Override
  public String toString() {
    return text;
  }
}
