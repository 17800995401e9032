// simt_test/planted_kernels.h: kernels with a missing barrier. One is a template and one is not:
// g++ treats statics there differently, which could hide shared memory from the means that find
// bugs.
#ifndef STRUCTKD_SIMT_TEST_PLANTED_KERNELS_H
#define STRUCTKD_SIMT_TEST_PLANTED_KERNELS_H

#include "cuda/common/device.cuh"

namespace simt_test {
namespace {

enum class Barriers { kBoth, kNoneBeforeReads, kNoneAfterReads };

template <class T, Barriers B>
__global__ void reverse_twice_kernel(T* out) {
  STRUCTKD_SHARED(T, tile, [64]);
  const int t = int(threadIdx.x);
  T value = T(t);
  for (int round = 0; round < 2; ++round) {
    tile[t] = value + T(1);
    if (B != Barriers::kNoneBeforeReads) __syncthreads();
    value = tile[63 - t];
    if (B != Barriers::kNoneAfterReads) __syncthreads();
  }
  out[t] = value;
}

// The same bug in a kernel that is no template.
__global__ void plain_reverse_kernel(float* out) {
  STRUCTKD_SHARED(float, tile, [64]);
  tile[threadIdx.x] = float(threadIdx.x);
  out[threadIdx.x] = tile[63 - threadIdx.x];
}

}  // namespace
}  // namespace simt_test

#endif  // STRUCTKD_SIMT_TEST_PLANTED_KERNELS_H
