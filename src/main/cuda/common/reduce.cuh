// cuda/common/reduce.cuh: sums in a fixed order, so that equal inputs give equal bits.
#ifndef STRUCTKD_CUDA_COMMON_REDUCE_CUH
#define STRUCTKD_CUDA_COMMON_REDUCE_CUH

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

__device__ __host__ __forceinline__ int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Sum over the warp's lanes, the same in every lane. All 32 lanes must call.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kFullWarp, value, step);
  return value;
}

template <class T>
__device__ __forceinline__ T warp_max(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(kFullWarp, value, step);
    value = other > value ? other : value;
  }
  return value;
}

// Sum over a block of Threads (a multiple of 32, one-dimensional); the result is right in thread 0.
// Waits for the last call's readers: may be called again at once.
template <int Threads, class T>
__device__ __forceinline__ T block_sum(T value) {
  STRUCTKD_SHARED(T, partial, [Threads / kWarp]);
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  T sum = T(0);
  if (threadIdx.x == 0) {
    for (int w = 0; w < Threads / kWarp; ++w) sum += partial[w];
  }
  return sum;
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_REDUCE_CUH
