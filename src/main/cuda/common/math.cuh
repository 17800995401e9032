// cuda/common/math.cuh: elementary functions under one name for f32 and f64, so that kernels can be
// templates. They are the accurate ones of CUDA's library, which err by at most 1 ulp in f32, never
// the intrinsics of fast math.
#ifndef STRUCTKD_CUDA_COMMON_MATH_CUH
#define STRUCTKD_CUDA_COMMON_MATH_CUH

#include <math.h>

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return log(x); }
__device__ __forceinline__ float logarithm_of_one_plus(float x) { return log1pf(x); }
__device__ __forceinline__ double logarithm_of_one_plus(double x) { return log1p(x); }

// The larger of two numbers; where one is NaN, the other.
__device__ __forceinline__ float larger(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double larger(double a, double b) { return fmax(a, b); }

__device__ __forceinline__ int smaller(int a, int b) { return b < a ? b : a; }

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_MATH_CUH
