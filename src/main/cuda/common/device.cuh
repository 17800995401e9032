// cuda/common/device.cuh: what kernels may use of a device, for two compilers. nvcc builds the
// product; g++ builds the same sources on the emulator in src/test/cuda/simt, which defines CUDA's
// own names (threadIdx, __syncthreads, __shfl_xor_sync, float4, ...) and the macros below.
//
// Inline PTX stands here and in mma.cuh alone, each wrapper with a twin in simt/; the asm of anew.cuh
// is empty.
#ifndef STRUCTKD_CUDA_COMMON_DEVICE_CUH
#define STRUCTKD_CUDA_COMMON_DEVICE_CUH

#include <stdint.h>

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

// Declares a shared array: STRUCTKD_SHARED(float, tile, [32][33]). It is uninitialised, as on every
// device.
#define STRUCTKD_SHARED(type, name, extent) __shared__ type name extent

// The block's dynamic shared memory, 16-byte aligned, as an array of `type`.
#define STRUCTKD_DYNAMIC_SHARED(type, name)                        \
  extern __shared__ __align__(16) unsigned char dynamic_shared_[]; \
  type* const name = reinterpret_cast<type*>(dynamic_shared_)

#define STRUCTKD_ENQUEUE(kernel, grid, block, shared_bytes, stream, ...) \
  kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)

namespace structkd::cuda {
namespace {

// Copies 4, 8 or 16 bytes from global to shared memory behind the thread's back: they are there
// after async_copy_wait and a barrier. Aligned to their size. Before sm_80 an ordinary copy.
template <int Bytes>
__device__ __forceinline__ void async_copy(void* shared, const void* global) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async knows 4, 8 and 16 bytes");
#if __CUDA_ARCH__ >= 800
  const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(global) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(target), "l"(global), "n"(Bytes)
                 : "memory");
  }
#else
  for (int i = 0; i < Bytes / 4; ++i) {
    static_cast<uint32_t*>(shared)[i] = static_cast<const uint32_t*>(global)[i];
  }
#endif
}

__device__ __forceinline__ void async_copy_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all but the last Pending committed groups have arrived.
template <int Pending>
__device__ __forceinline__ void async_copy_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// 2^x by the special function unit, at most 2 ulp off (CUDA C++ Programming Guide, exp2f, which is
// this and steps for subnormal results; here they are 0).
__device__ __forceinline__ float raise_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Adds 1 to a counter in global memory and returns what was there. What this thread, and by way of
// barriers its block, wrote before is seen after the call by whoever counts later. The fences are
// of the whole device: the first completes the block's writes, the second drops what the
// first-level cache holds (PTX ISA, "memory consistency model": fence.acq_rel is cumulative).
__device__ __forceinline__ uint32_t count_arrival(uint32_t* counter) {
  __threadfence();
  const uint32_t earlier = atomicAdd(counter, 1u);
  __threadfence();
  return earlier;
}

// Waits until a counter of count_arrival has reached `count`, and then sees what was written before
// those calls. Only for what blocks do that certainly run or have run (arrival.cuh).
__device__ __forceinline__ void wait_for_arrivals(const uint32_t* counter, uint32_t count) {
  while (*static_cast<const volatile uint32_t*>(counter) < count) __nanosleep(100);
  __threadfence();
}

}  // namespace
}  // namespace structkd::cuda

#else  // g++

#include "simt/simt.h"

#endif

namespace structkd::cuda {

constexpr int kWarp = 32;
constexpr unsigned kFullWarp = 0xffffffffu;

}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_DEVICE_CUH
