package org.structkd.bench;

import java.util.Arrays;
import java.util.Locale;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * This machine's first GPU: what it is, what it can do, and times between its events.
 *
 * @param name as the driver has it
 * @param multiprocessors their number
 * @param cacheBytes size of the second cache
 * @param f32PerSecond floating-point operations in f32 at the highest clock, by its data sheet
 */
record CudaGpu(String name, int multiprocessors, long cacheBytes, double f32PerSecond) {
  private static final int WARM_UP = 3;

  /** p20, p50 and p80 in milliseconds. */
  record Times(double p20, double p50, double p80) {}

  /** Why no GPU can be used, as a sentence; empty if one can. */
  static String missing() {
    if (torch.cuda_is_available()) {
      return "";
    }
    return "LibTorch can use no GPU here: there is none, its driver is older than 580, or the"
        + " libraries are those without CUDA (docs/gpu.md); structkd_cuda_bench needs no"
        + " LibTorch";
  }

  static CudaGpu open() {
    try (cudaDeviceProp properties = new cudaDeviceProp()) {
      require(cudart.cudaGetDeviceProperties(properties, 0));
      int[] kilohertz = new int[1];
      require(cudart.cudaDeviceGetAttribute(kilohertz, cudart.cudaDevAttrClockRate, 0));
      int multiprocessors = properties.multiProcessorCount();
      return new CudaGpu(
          properties.name().getString(),
          multiprocessors,
          properties.l2CacheSize(),
          2e3 * kilohertz[0] * multiprocessors * lanes(properties.major(), properties.minor()));
    }
  }

  /** FMA units for f32 of a multiprocessor (CUDA C++ Programming Guide, arithmetic throughput). */
  private static int lanes(int major, int minor) {
    return major == 7 || (major == 8 && minor == 0) ? 64 : 128;
  }

  static Device device() {
    return new Device("cuda:0");
  }

  /** Bytes per second of a large copy, read and written, measured. */
  double copyRate() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor from = onGpu(1L << 28);
      Tensor to = onGpu(1L << 28);
      Times times = time(() -> copy(from, to), 10);
      return 2 * from.nbytes() / (1e-3 * times.p50());
    }
  }

  private static void copy(Tensor from, Tensor to) {
    try (PointerScope temporaries = new PointerScope()) {
      to.copy_(from);
    }
  }

  private static Tensor onGpu(long floats) {
    return torch.zeros(new long[] {floats}, new TensorOptions(device()));
  }

  /**
   * Times calls that enqueue on LibTorch's default stream. Before each the second cache is emptied
   * of what the call could find there, by reading something else: lines left behind by writing
   * would be written back at the cost of the call.
   */
  Times time(Runnable enqueue, int runs) {
    try (PointerScope temporaries = new PointerScope()) {
      // Four times the cache: its replacement is not the strict order of use.
      Tensor other = onGpu(Math.max(cacheBytes, 16 << 20));
      CUevent_st[] start = events(runs);
      CUevent_st[] stop = events(runs);
      for (int i = 0; i < WARM_UP; i++) {
        enqueue.run();
      }
      for (int i = 0; i < runs; i++) {
        chill(other);
        require(cudart.cudaEventRecord(start[i]));
        enqueue.run();
        require(cudart.cudaEventRecord(stop[i]));
      }
      torch.cuda_synchronize();
      double[] milliseconds = new double[runs];
      float[] elapsed = new float[1];
      for (int i = 0; i < runs; i++) {
        require(cudart.cudaEventElapsedTime(elapsed, start[i], stop[i]));
        milliseconds[i] = elapsed[0];
        require(cudart.cudaEventDestroy(start[i]));
        require(cudart.cudaEventDestroy(stop[i]));
      }
      Arrays.sort(milliseconds);
      return new Times(at(milliseconds, 0.2), at(milliseconds, 0.5), at(milliseconds, 0.8));
    }
  }

  private static double at(double[] sorted, double fraction) {
    return sorted[(int) Math.round(fraction * (sorted.length - 1))];
  }

  private static void chill(Tensor other) {
    try (PointerScope temporaries = new PointerScope()) {
      other.sum();
    }
  }

  private static CUevent_st[] events(int count) {
    CUevent_st[] events = new CUevent_st[count];
    for (int i = 0; i < count; i++) {
      events[i] = new CUevent_st();
      require(cudart.cudaEventCreate(events[i]));
    }
    return events;
  }

  /** Bytes that LibTorch's allocator held at most during a call, above what it held before. */
  static long peakBytes(Runnable call) {
    torch.cuda_synchronize();
    torch.resetPeakStats((byte) 0);
    long before = torch.getDeviceStats((byte) 0).allocated_bytes().current();
    call.run();
    torch.cuda_synchronize();
    return torch.getDeviceStats((byte) 0).allocated_bytes().peak() - before;
  }

  private static void require(int status) {
    if (status != cudart.cudaSuccess) {
      throw new IllegalStateException(
          "a call of the CUDA runtime failed: " + cudart.cudaGetErrorString(status).getString());
    }
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s, %d SMs", name, multiprocessors);
  }
}
