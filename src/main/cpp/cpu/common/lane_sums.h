// cpu/common/lane_sums.h: from vectors of partial sums to their totals, in a fixed order.
#ifndef STRUCTKD_CPU_COMMON_LANE_SUMS_H
#define STRUCTKD_CPU_COMMON_LANE_SUMS_H

#include "cpu/common/isa.h"
#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The sum over the lanes: halves are added until one lane is left.
template <class T>
inline T sum_of_lanes(Vector<T> v) {
  T lanes[kLanes<T>];
  store(lanes, v);
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

// Halves every segment of `segment` lanes of a and b: lane by lane the lower half of a segment plus
// its upper half, those of a before those of b.
template <class T, int segment>
__attribute__((always_inline)) inline Vector<T> fold(Vector<T> a, Vector<T> b) {
  constexpr int half = segment / 2;
  Integers<T> low = {}, high = {};
#pragma GCC unroll 16
  for (int l = 0; l < kLanes<T>; ++l) {
    low[l] = l / half * segment + l % half;
    high[l] = l / half * segment + l % half + half;
  }
  return __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
}

// sums[i] = the sum over the lanes of v[i], for sums of room for `count` rounded up to whole
// vectors. Pairs of vectors are folded until a segment is one lane: 16 vectors of 16 lanes take 45
// vector operations, where one after the other takes 240 additions.
template <class T, int count, int segment = kLanes<T>>
__attribute__((always_inline)) inline void sum_lanes_of(const Vector<T>* v, T* sums) {
  if constexpr (segment == 1) {
#pragma GCC unroll 4
    for (int i = 0; i < count; ++i) store(sums + i * kLanes<T>, v[i]);
  } else {
    constexpr int kPairs = (count + 1) / 2;
    Vector<T> folded[kPairs];
#pragma GCC unroll 16
    for (int i = 0; i < kPairs; ++i) {
      folded[i] = fold<T, segment>(v[2 * i], v[2 * i + 1 < count ? 2 * i + 1 : 2 * i]);
    }
    sum_lanes_of<T, kPairs, segment / 2>(folded, sums);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_LANE_SUMS_H
