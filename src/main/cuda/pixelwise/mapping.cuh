// cuda/pixelwise/mapping.cuh: which thread has which classes of which pixel. Either way the threads
// of a pixel, its parts, have classes part, part + kParts, ..., and add up what they found.
#ifndef STRUCTKD_CUDA_PIXELWISE_MAPPING_CUH
#define STRUCTKD_CUDA_PIXELWISE_MAPPING_CUH

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

// The mapping of planes: neighbouring lanes have neighbouring pixels, so that each load of a warp
// is 128 bytes in a row (f32) wherever the plane starts. The parts of a pixel are warps and meet in
// shared memory; lanes take neighbouring words of it, no bank conflicts.
template <int Warps>
struct PixelLanes {
  static constexpr int kParts = Warps;
  static constexpr int kThreads = Warps == 1 ? 128 : Warps * kWarp;
  static constexpr int kPixels = kThreads / kParts;
  static constexpr bool kOverImages = false;  // a block has pixels of one image

  __device__ __forceinline__ static int pixel() { return int(threadIdx.x) % kPixels; }
  __device__ __forceinline__ static int part() { return int(threadIdx.x) / kPixels; }

  // Combines each of `values` over the parts, in their order. All threads must call.
  template <int Count, class T, class Combine>
  __device__ __forceinline__ static void meet(T (&values)[Count], Combine combine) {
    if constexpr (Warps > 1) {
      STRUCTKD_SHARED(T, shared, [Count][Warps][kWarp]);
      __syncthreads();  // the values of the last meeting have been read
#pragma unroll
      for (int v = 0; v < Count; ++v) shared[v][part()][pixel()] = values[v];
      __syncthreads();
#pragma unroll
      for (int v = 0; v < Count; ++v) {
        values[v] = shared[v][0][pixel()];
#pragma unroll
        for (int w = 1; w < Warps; ++w) values[v] = combine(values[v], shared[v][w][pixel()]);
      }
    }
  }
};

// The mapping of rows: neighbouring lanes have neighbouring classes, and Lanes of them one pixel.
template <int Lanes>
struct ClassLanes {
  static constexpr int kParts = Lanes;
  static constexpr int kThreads = 128;
  static constexpr int kPixels = kThreads / kParts;
  static constexpr bool kOverImages = true;

  __device__ __forceinline__ static int pixel() { return int(threadIdx.x) / Lanes; }
  __device__ __forceinline__ static int part() { return int(threadIdx.x) % Lanes; }

  template <int Count, class T, class Combine>
  __device__ __forceinline__ static void meet(T (&values)[Count], Combine combine) {
#pragma unroll
    for (int v = 0; v < Count; ++v) {
#pragma unroll
      for (int step = Lanes / 2; step > 0; step /= 2) {
        values[v] = combine(values[v], __shfl_xor_sync(kFullWarp, values[v], step));
      }
    }
  }
};

// The mapping of long rows: a block has one pixel. The warps meet in shared memory, where all lanes
// read the same word: no bank conflicts.
template <int Threads>
struct ClassBlock {
  static constexpr int kParts = Threads;
  static constexpr int kThreads = Threads;
  static constexpr int kPixels = 1;
  static constexpr bool kOverImages = true;

  __device__ __forceinline__ static int pixel() { return 0; }
  __device__ __forceinline__ static int part() { return int(threadIdx.x); }

  template <int Count, class T, class Combine>
  __device__ __forceinline__ static void meet(T (&values)[Count], Combine combine) {
    constexpr int kWarps = Threads / kWarp;
    STRUCTKD_SHARED(T, shared, [Count][kWarps]);
    ClassLanes<kWarp>::meet(values, combine);
    __syncthreads();  // the values of the last meeting have been read
    if (threadIdx.x % kWarp == 0) {
#pragma unroll
      for (int v = 0; v < Count; ++v) shared[v][threadIdx.x / kWarp] = values[v];
    }
    __syncthreads();
#pragma unroll
    for (int v = 0; v < Count; ++v) {
      values[v] = shared[v][0];
      for (int w = 1; w < kWarps; ++w) values[v] = combine(values[v], shared[v][w]);
    }
  }
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_MAPPING_CUH
