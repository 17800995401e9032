// core/divergence.h: arithmetic of divergences where two distributions nearly agree. N is a number
// or a vector of numbers of type T: the same constants and the same order of operations for every
// backend. Shared with CUDA sources.
#ifndef STRUCTKD_CORE_DIVERGENCE_H
#define STRUCTKD_CORE_DIVERGENCE_H

#include <math.h>

#include "core/host_device.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// phi(x) / x^2 for |x| <= 1, phi(x) = e^-x - 1 + x; minimax in relative error, found as in
// cpu/common/vector_math.h.
template <class T>
struct Phi;

template <>
struct Phi<float> {
  template <class N>
  STRUCTKD_HOST_DEVICE static inline N over_square(N x) {  // 4.3e-9
    N p = N{} - 0x1.7416f4p-19f;
    p = p * x + 0x1.a9622ap-16f;
    p = p * x - 0x1.a028cap-13f;
    p = p * x + 0x1.6bffb0p-10f;
    p = p * x - 0x1.1110e0p-7f;
    p = p * x + 0x1.555578p-5f;
    p = p * x - 0x1.555556p-3f;
    return p * x + 0x1.0p-1f;
  }
};

template <>
struct Phi<double> {
  template <class N>
  STRUCTKD_HOST_DEVICE static inline N over_square(N x) {  // 1.2e-17
    N p = N{} - 0x1.b054467812871p-41;
    p = p * x + 0x1.997e1d4cfef23p-37;
    p = p * x - 0x1.6128d47a4b00dp-33;
    p = p * x + 0x1.1ee5774d439c0p-29;
    p = p * x - 0x1.ae6442bf7d260p-26;
    p = p * x + 0x1.27e50672b2ea1p-22;
    p = p * x - 0x1.71de3a72396edp-19;
    p = p * x + 0x1.a01a0190d4e30p-16;
    p = p * x - 0x1.a01a019ff4eefp-13;
    p = p * x + 0x1.6c16c16c20d88p-10;
    p = p * x - 0x1.111111111124bp-7;
    p = p * x + 0x1.5555555555506p-5;
    p = p * x - 0x1.5555555555555p-3;
    return p * x + 0x1.0p-1;
  }
};

// a - b as a rounded difference and what the rounding lost (Knuth's two-sum). Needs no ordering of
// |a| and |b|; a compiler may not simplify it without -ffast-math.
template <class N>
struct Difference {
  N rounded, lost;
};
template <class N>
STRUCTKD_HOST_DEVICE inline Difference<N> exact_difference(N a, N b) {
  const N rounded = a - b;
  const N minus_b = rounded - a;
  return {rounded, (a - (rounded - minus_b)) - (b + minus_b)};
}

// A divergence that was summed from terms of both signs, without what is below 0: that is rounding.
// A NaN stays.
STRUCTKD_HOST_DEVICE inline double at_least_0(double divergence) {
  return divergence < 0.0 ? 0.0 : divergence;
}

// KL(q, p) of two distributions that are given by sums over their terms: q's terms e_q add up to Q,
// p's terms e_p to P; d = log(e_q / e_p); W = sum of e_q d, F = sum of e_q phi(d) = P - Q + W.
STRUCTKD_HOST_DEVICE inline double divergence_of_sums(double P, double Q, double W, double F) {
  // Below it the logarithm of a ratio that is nearly 1 loses more bits than that of 1 + x. Where
  // the ratio is far from 1, as of terms that are shifted against each other, it is the other way
  // round.
  constexpr double kSmall = 0.125, kNear = 1.0;
  const double gap = W / Q, plain = gap + log(P / Q);
  const bool is_small = plain < kSmall && gap < kNear && gap > -kNear;
  return at_least_0(is_small ? gap + log1p((F - W) / Q) : plain);
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_DIVERGENCE_H
