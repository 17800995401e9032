// simt/intrinsics.h: CUDA's arithmetic built-ins. Those that CUDA specifies as one IEEE operation
// give the same bits; the others (__expf and the like) are more exact here than on a device.
#ifndef STRUCTKD_SIMT_INTRINSICS_H
#define STRUCTKD_SIMT_INTRINSICS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace simt {

template <class To, class From>
To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

}  // namespace simt

// Bits.
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline int __float_as_int(float x) { return simt::bit_cast<int>(x); }
inline float __int_as_float(int x) { return simt::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return simt::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return simt::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return simt::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return simt::bit_cast<double>(x); }

// One operation, rounded to nearest. g++ contracts no expression across calls.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline int __float2int_rn(float x) { return int(rintf(x)); }

// Approximations on a device.
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }

namespace structkd::cuda {
namespace {

// The twin of device.cuh's. It errs as much as a device may, one way or the other as its argument's
// bits have it: what is exact enough with this is so with any device.
inline float raise_two(float x) {
  constexpr float kLeast = 0x1p-126f;  // smaller results are 0
  const float y = exp2f(x);
  if (!(y >= kLeast)) return y != y ? y : 0.0f;
  if (y == 1.0f || y > 0x1p127f) return y;
  const unsigned hash = simt::bit_cast<unsigned>(x) * 0x9e3779b9u >> 29;  // 2^32 / golden ratio
  return simt::bit_cast<float>(simt::bit_cast<unsigned>(y) + hash % 5 - 2);
}

}  // namespace
}  // namespace structkd::cuda

// Cached loads and stores: the caches are not modelled.
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}

#endif  // STRUCTKD_SIMT_INTRINSICS_H
