// cuda/common/two_float.cuh: a number as the sum of two floats, which keep 46 bits or more of it.
// It serves GPUs where f64 runs at 1/32 or 1/64 of the f32 rate: a multiply-add takes 12 f32
// instructions.
//
// The error-free sums and products are those of Dekker (1971) and Knuth (TAOCP 2, 4.2.2). The named
// intrinsics keep the compiler from contracting or reordering them.
#ifndef STRUCTKD_CUDA_COMMON_TWO_FLOAT_CUH
#define STRUCTKD_CUDA_COMMON_TWO_FLOAT_CUH

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

struct alignas(8) TwoFloat {
  float hi, lo;
};

__device__ __forceinline__ TwoFloat to_two_float(double x) {
  const float hi = float(x);
  return {hi, float(x - double(hi))};
}

__device__ __forceinline__ double to_double(TwoFloat x) { return double(x.hi) + double(x.lo); }
__device__ __forceinline__ double to_double(double x) { return x; }
__device__ __forceinline__ double to_double(float x) { return x; }

// The number in another type, rounded once.
template <class T>
__device__ __forceinline__ T value_as(TwoFloat x) {
  if constexpr (__is_same(T, TwoFloat)) {
    return x;
  } else if constexpr (sizeof(T) == sizeof(float)) {
    return T(x.hi + x.lo);
  } else {
    return T(to_double(x));
  }
}
template <class T>
__device__ __forceinline__ T value_as(double x) {
  return T(x);
}
template <class T>
__device__ __forceinline__ T value_as(float x) {
  return T(x);
}

// a + b without error.
__device__ __forceinline__ TwoFloat two_sum(float a, float b) {
  const float sum = __fadd_rn(a, b);
  const float b_part = __fsub_rn(sum, a), a_part = __fsub_rn(sum, b_part);
  return {sum, __fadd_rn(__fsub_rn(a, a_part), __fsub_rn(b, b_part))};
}

// a * b without error.
__device__ __forceinline__ TwoFloat two_product(float a, float b) {
  const float product = __fmul_rn(a, b);
  return {product, __fmaf_rn(a, b, -product)};
}

// sum += term. The low parts add up plainly: they are 2^-24 of the sum.
__device__ __forceinline__ void add_to(TwoFloat& sum, float term) {
  const TwoFloat s = two_sum(sum.hi, term);
  sum = {s.hi, __fadd_rn(sum.lo, s.lo)};
}

__device__ __forceinline__ void add_product(TwoFloat& sum, float a, float b) {
  const TwoFloat p = two_product(a, b);
  add_to(sum, p.hi);
  sum.lo = __fadd_rn(sum.lo, p.lo);
}

__device__ __forceinline__ void add_product(TwoFloat& sum, TwoFloat a, TwoFloat b) {
  const TwoFloat p = two_product(a.hi, b.hi);
  add_to(sum, p.hi);
  sum.lo = __fadd_rn(sum.lo, __fmaf_rn(a.hi, b.lo, __fmaf_rn(a.lo, b.hi, p.lo)));
}

__device__ __forceinline__ void add_product(double& sum, double a, double b) { sum += a * b; }
__device__ __forceinline__ void add_product(float& sum, float a, float b) { sum += a * b; }

// a * b and a - b, correct to about 2^-46 of the operands.
__device__ __forceinline__ TwoFloat times(float a, TwoFloat b) {
  const TwoFloat p = two_product(a, b.hi);
  return {p.hi, __fmaf_rn(a, b.lo, p.lo)};
}

__device__ __forceinline__ TwoFloat minus(TwoFloat a, TwoFloat b) {
  const TwoFloat d = two_sum(a.hi, -b.hi);
  return {d.hi, __fadd_rn(d.lo, __fsub_rn(a.lo, b.lo))};
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_TWO_FLOAT_CUH
