// cuda/common/anew.cuh: numbers that the compiler shall not know.
#ifndef STRUCTKD_CUDA_COMMON_ANEW_CUH
#define STRUCTKD_CUDA_COMMON_ANEW_CUH

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

// The same number, which nvcc takes for a new one: it neither computes ahead what is made of it, out
// of a loop for example, nor keeps that in registers.
__device__ __forceinline__ int anew(int number) {
#ifdef __CUDACC__
  asm volatile("" : "+r"(number));
#endif
  return number;
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_ANEW_CUH
