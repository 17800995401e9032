// cpu/common/vector_math.h: exp and exp2 for f32 and f64 and log for f64, a vector at a time.
//
//   exp2 at most 1.8 ulp (f32: every 17th float was tried, worst 1.78, with fused multiply-add
//        1.38; f64: sampled, worst 1.35 and 1.01). It takes two thirds of the operations of exp,
//        whose x / ln 2 needs more digits than x has. Its ends are as those of exp.
//   exp  at most 1.1 ulp (f32: every float was tried, worst 1.009; f64: sampled, worst 0.997).
//        Right at the ends: gradual underflow to 0, +inf above the range, NaN stays NaN.
//   log  at most 1.0 ulp (sampled, worst 0.79). log(0) = -inf, log(+inf) = +inf, NaN below 0;
//        subnormals count as any other number.
//
// src/test/cpp/vector_math_test.cpp holds these bounds. No table and no branch, so the lanes never
// wait for each other. Polynomials: our own minimax fits (Remez exchange in 50 digits).
#ifndef STRUCTKD_CPU_COMMON_VECTOR_MATH_H
#define STRUCTKD_CPU_COMMON_VECTOR_MATH_H

#include "cpu/common/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2 = 0x1.62e42fefa39efp-1;

// The integer vectors that hold the bits of Vector<T>. Unsigned, since exponents are shifted in.
template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  typedef int32_t number __attribute__((vector_size(kVectorBytes)));
  typedef uint32_t type __attribute__((vector_size(kVectorBytes)));
};
template <>
struct BitsOf<double> {
  typedef int64_t number __attribute__((vector_size(kVectorBytes)));
  typedef uint64_t type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Bits = typename BitsOf<T>::type;
template <class T>
using Integers = typename BitsOf<T>::number;

template <class T>
inline Vector<T> broadcast(T x) {
  return Vector<T>{} + x;
}

// a where mask is set (the result of a comparison), else b. A NaN in b does not reach the a lanes,
// as it would by multiplying with 0.
template <class T>
inline Vector<T> choose(Integers<T> mask, Vector<T> a, Vector<T> b) {
  return mask ? a : b;
}

// Whether a mask is set in any lane.
template <class T>
inline bool any(Integers<T> mask) {
#ifdef __AVX512F__
  return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
#else
  uint64_t words[kVectorBytes / 8], all = 0;
  memcpy(words, &mask, sizeof(words));
  for (uint64_t word : words) all |= word;
  return all != 0;
#endif
}

// The larger (smaller) one; the second if either is NaN. One instruction of AVX-512, which g++ does
// not find by itself.
#ifdef __AVX512F__
// The forms with a mask that zeroes nothing: g++ 12 warns of its own header in those without.
constexpr uint16_t kAllLanes = 0xffff;

template <class T>
inline Vector<T> vector_max(Vector<T> a, Vector<T> b) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return (Vector<T>)_mm512_maskz_max_ps(kAllLanes, (__m512)a, (__m512)b);
  } else {
    return (Vector<T>)_mm512_maskz_max_pd(uint8_t(kAllLanes), (__m512d)a, (__m512d)b);
  }
}
template <class T>
inline Vector<T> vector_min(Vector<T> a, Vector<T> b) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return (Vector<T>)_mm512_maskz_min_ps(kAllLanes, (__m512)a, (__m512)b);
  } else {
    return (Vector<T>)_mm512_maskz_min_pd(uint8_t(kAllLanes), (__m512d)a, (__m512d)b);
  }
}
#else
template <class T>
inline Vector<T> vector_max(Vector<T> a, Vector<T> b) {
  return choose<T>(a > b, a, b);
}
template <class T>
inline Vector<T> vector_min(Vector<T> a, Vector<T> b) {
  return choose<T>(a < b, a, b);
}
#endif

// What exp needs of a type. e^r = 1 + r + r^2 p(r) for |r| <= ln(2)/2, r = x - n ln 2.
template <class T>
struct ExpOf;

template <>
struct ExpOf<float> {
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kHighest = 89.0f, kLowest = -104.0f;  // overflows; rounds to 0
  // x + kRound has x, rounded to an integer, in its lowest bits.
  static constexpr float kRound = 0x1.8p23f;
  // 15 bits, so that n ln2 is exact for |n| <= 2^9.
  static constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
  static inline Vector<float> p(Vector<float> r) {  // 3.3e-9 of e^r
    Vector<float> p = broadcast(0x1.6a2cdcp-10f);
    p = p * r + 0x1.123818p-7f;
    p = p * r + 0x1.5558d8p-5f;
    p = p * r + 0x1.555494p-3f;
    return p * r + 0x1.fffffcp-2f;
  }
};

template <>
struct ExpOf<double> {
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kHighest = 710.0, kLowest = -746.0;
  static constexpr double kRound = 0x1.8p52;
  // 33 bits, so that n ln2 is exact for |n| <= 2^20.
  static constexpr double kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static inline Vector<double> p(Vector<double> r) {  // 4.4e-18 of e^r
    Vector<double> p = broadcast(0x1.ad6e5ba982f02p-26);
    p = p * r + 0x1.28a9d071229e6p-22;
    p = p * r + 0x1.71df2bde9bbc1p-19;
    p = p * r + 0x1.a0199e8dd4fc3p-16;
    p = p * r + 0x1.a01a012a04cb2p-13;
    p = p * r + 0x1.6c16c182367c4p-10;
    p = p * r + 0x1.11111111271e3p-7;
    p = p * r + 0x1.5555555551362p-5;
    p = p * r + 0x1.5555555555500p-3;
    return p * r + 0x1.0000000000007p-1;
  }
};

// x * 2^n, n a whole number in the range of exp, rounded once: also where the result is subnormal.
#ifdef __AVX512F__
// x less the next whole number below.
template <class T>
inline Vector<T> above_floor(Vector<T> x) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  if constexpr (sizeof(T) == sizeof(float)) {
    return (Vector<T>)_mm512_maskz_reduce_ps(kAllLanes, (__m512)x, kDown);
  } else {
    return (Vector<T>)_mm512_maskz_reduce_pd(uint8_t(kAllLanes), (__m512d)x, kDown);
  }
}

template <class T>
inline Vector<T> times_power_of_two(Vector<T> x, Vector<T> n) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return (Vector<T>)_mm512_maskz_scalef_ps(kAllLanes, (__m512)x, (__m512)n);
  } else {
    return (Vector<T>)_mm512_maskz_scalef_pd(uint8_t(kAllLanes), (__m512d)x, (__m512d)n);
  }
}
#else
// 2^n for n in the range of normal numbers.
template <class T>
inline Vector<T> power_of_two(Integers<T> n) {
  return (Vector<T>)((Bits<T>)(n + ExpOf<T>::kBias) << ExpOf<T>::kMantissa);
}

template <class T>
inline Vector<T> times_power_of_two(Vector<T> x, Vector<T> n) {
  constexpr T kRound = ExpOf<T>::kRound;
  const Integers<T> whole = (Integers<T>)(n + kRound) - (Integers<T>)broadcast(kRound);
  // Twice half of n: 2^n alone has no normal number for the largest and the smallest n, and only
  // the second product rounds.
  const Integers<T> half = whole >> 1;
  return x * power_of_two<T>(half) * power_of_two<T>(whole - half);
}
#endif

// What exp2 needs of a type. 2^f = 1 + f p(f) for 0 <= f <= 1.
template <class T>
struct Exp2Of;

template <>
struct Exp2Of<float> {
  static constexpr float kHighest = 129.0f, kLowest = -151.0f;  // overflows; rounds to 0
  static inline Vector<float> p(Vector<float> f) {              // 2.0e-9 of 2^f
    Vector<float> p = broadcast(0x1.c54176p-13f);
    p = p * f + 0x1.46d64cp-10f;
    p = p * f + 0x1.3d0b92p-7f;
    p = p * f + 0x1.c68912p-5f;
    p = p * f + 0x1.ebfd58p-3f;
    return p * f + 0x1.62e42cp-1f;
  }
};

template <>
struct Exp2Of<double> {
  static constexpr double kHighest = 1025.0, kLowest = -1076.0;
  static inline Vector<double> p(Vector<double> f) {  // 3.2e-18 of 2^f
    Vector<double> p = broadcast(0x1.5856763ae3ae2p-31);
    p = p * f + 0x1.c2c473aa966bcp-28;
    p = p * f + 0x1.b85f439feef69p-24;
    p = p * f + 0x1.628f3571abdaep-20;
    p = p * f + 0x1.ffcfc6abb1717p-17;
    p = p * f + 0x1.4308fa1dbfa69p-13;
    p = p * f + 0x1.5d87ff4d2331bp-10;
    p = p * f + 0x1.3b2ab6f734110p-7;
    p = p * f + 0x1.c6b08d706583bp-5;
    p = p * f + 0x1.ebfbdff82c04bp-3;
    return p * f + 0x1.62e42fefa39f5p-1;
  }
};

template <class T>
inline Vector<T> vector_exp2(Vector<T> x) {
#ifdef __AVX512F__
  // The instruction that scales rounds its power down by itself, and ends need no care.
  const Vector<T> f = above_floor<T>(x);
  return times_power_of_two<T>(f * Exp2Of<T>::p(f) + T(1), x);
#else
  x = vector_min<T>(broadcast(Exp2Of<T>::kHighest), x);
  x = vector_max<T>(broadcast(Exp2Of<T>::kLowest), x);
  // At a whole number f may be 1 as well as 0.
  const Vector<T> whole = (x - T(0.5) + ExpOf<T>::kRound) - ExpOf<T>::kRound;
  const Vector<T> f = x - whole;
  return times_power_of_two<T>(f * Exp2Of<T>::p(f) + T(1), whole);
#endif
}

template <class T>
inline Vector<T> vector_exp(Vector<T> x) {
  using E = ExpOf<T>;
  // Beyond these the result is inf or 0 anyway. NaN passes both.
  x = vector_min<T>(broadcast(E::kHighest), x);
  x = vector_max<T>(broadcast(E::kLowest), x);
  const Vector<T> whole = (x * T(kLog2E) + E::kRound) - E::kRound;
  Vector<T> r = x - whole * E::kLn2High;
  r = r - whole * E::kLn2Low;
  const Vector<T> power = (r * r) * E::p(r) + r + T(1);
  return times_power_of_two<T>(power, whole);
}

// log x = k ln 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f), z = s^2:
// log(1 + f) = f - f^2/2 + s (f^2/2 + z q(z)).
inline Vector<double> vector_log(Vector<double> x) {
  constexpr double kSmallestNormal = 0x1p-1022, kInfinity = __builtin_inf();
  constexpr uint64_t kRootHalf = 0x3fe6a09e667f3bcd;  // bits of sqrt(1/2)
  const Integers<double> subnormal = x < kSmallestNormal;
  const Vector<double> normal = choose<double>(subnormal, x * 0x1p54, x);
  // Unsigned: the bits of a negative number wrap here, its result is replaced below.
  const Bits<double> above = (Bits<double>)normal - kRootHalf;
  const Integers<double> exponent = (Integers<double>)above >> 52;
  const Vector<double> m = (Vector<double>)((above & 0xfffffffffffff) + kRootHalf);
  // An integer below 2^51 as f64: put it in the low bits of 1.5 * 2^52 and subtract that again.
  constexpr double kRound = 0x1.8p52;
  const Integers<double> shifted = exponent + (Integers<double>)broadcast(kRound);
  const Vector<double> k =
      (Vector<double>)shifted - kRound - choose<double>(subnormal, broadcast(54.0), broadcast(0.0));

  const Vector<double> f = m - 1.0;
  const Vector<double> s = f / (f + 2.0), z = s * s;
  Vector<double> q = broadcast(0x1.2dc82ca883c4dp-3);  // 1.9e-18 of log(1 + f)
  q = q * z + 0x1.39c329be4acbbp-3;
  q = q * z + 0x1.7464dbc417cddp-3;
  q = q * z + 0x1.c71c595a90522p-3;
  q = q * z + 0x1.249249380db9ep-2;
  q = q * z + 0x1.999999998c661p-2;
  q = q * z + 0x1.5555555555567p-1;
  const Vector<double> half_square = 0.5 * f * f;
  const Vector<double> tail = s * (half_square + z * q) + k * ExpOf<double>::kLn2Low;
  Vector<double> result = k * ExpOf<double>::kLn2High - ((half_square - tail) - f);

  result = choose<double>(x == 0.0, broadcast(-kInfinity), result);
  result = choose<double>(x == kInfinity, x, result);
  // Below 0, and NaN in: NaN out.
  return choose<double>(x >= 0.0, result, x * __builtin_nan(""));
}

// out[i] = f(in[i]), i < n, a vector at a time; in and out may be the same buffer.
template <class T, class Function>
inline void map_row(const T* in, int64_t n, T* out, Function f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(out + i, f(load(in + i)));
  if (i == n) return;
  T last[kLanes<T>] = {};
  memcpy(last, in + i, size_t(n - i) * sizeof(T));
  store(last, f(load(last)));
  memcpy(out + i, last, size_t(n - i) * sizeof(T));
}

// out[i] = exp(in[i]), i < n; in and out may be the same buffer.
template <class T>
inline void exp_row(const T* in, int64_t n, T* out) {
  map_row(in, n, out, vector_exp<T>);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_VECTOR_MATH_H
