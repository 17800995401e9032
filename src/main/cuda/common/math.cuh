// cuda/common/math.cuh: elementary functions under one name for f32 and f64, so that kernels can be
// templates. They are the accurate ones of CUDA's library, which err by at most 1 ulp in f32, never
// the intrinsics of fast math; but for Powers.
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

// a * b + c, rounded once, wherever it stands.
__device__ __forceinline__ float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return fma(a, b, c); }

// Powers that take one instruction in f32 instead of the eight of exponential(): of 2, at most 2 ulp
// off and 0 below 2^-126. In f64 they are of e. of(kPerNatural * x) = e^x, kNatural = 1 / kPerNatural.
template <class T>
struct Powers;
template <>
struct Powers<float> {
  static constexpr float kPerNatural = 1.44269504f;  // log2(e)
  static constexpr float kNatural = 0.693147181f;    // log(2)
  __device__ __forceinline__ static float of(float x) { return raise_two(x); }
};
template <>
struct Powers<double> {
  static constexpr double kPerNatural = 1.0, kNatural = 1.0;
  __device__ __forceinline__ static double of(double x) { return exp(x); }
};

// The larger of two numbers; where one is NaN, the other.
__device__ __forceinline__ float larger(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double larger(double a, double b) { return fmax(a, b); }

__device__ __forceinline__ float smaller(float a, float b) { return fminf(a, b); }
__device__ __forceinline__ double smaller(double a, double b) { return fmin(a, b); }
__device__ __forceinline__ int smaller(int a, int b) { return b < a ? b : a; }

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_MATH_CUH
