// cpu/common/transpose.h: a small matrix turned over in registers.
#ifndef STRUCTKD_CPU_COMMON_TRANSPOSE_H
#define STRUCTKD_CPU_COMMON_TRANSPOSE_H

#include "cpu/common/isa.h"
#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Exchanges the off-diagonal blocks of `half` x `half` in every 2 half x 2 half block of the rows
// v.
template <class T, int half>
inline void transpose_blocks(Vector<T>* v) {
  Integers<T> upper = {}, lower = {};
#pragma GCC unroll 16
  for (int l = 0; l < kLanes<T>; ++l) {
    upper[l] = (l & half) == 0 ? l : kLanes<T> + l - half;
    lower[l] = (l & half) == 0 ? l + half : kLanes<T> + l;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kLanes<T>; ++r) {
    if (r & half) continue;
    const Vector<T> a = v[r], b = v[r + half];
    v[r] = __builtin_shuffle(a, b, upper);
    v[r + half] = __builtin_shuffle(a, b, lower);
  }
  if constexpr (half > 1) transpose_blocks<T, half / 2>(v);
}

// out[c * out_stride + r] = in[r * in_stride + c] for r, c < kLanes: log2(kLanes) shuffles per
// vector instead of a load and a store per element.
template <class T>
inline void transpose(const T* __restrict in,
                      int64_t in_stride,
                      T* __restrict out,
                      int64_t out_stride) {
  Vector<T> v[kLanes<T>];
#pragma GCC unroll 16
  for (int r = 0; r < kLanes<T>; ++r) v[r] = load(in + r * in_stride);
  transpose_blocks<T, kLanes<T> / 2>(v);
#pragma GCC unroll 16
  for (int r = 0; r < kLanes<T>; ++r) store(out + r * out_stride, v[r]);
}

// Transposes a matrix whose sizes are multiples of kLanes.
template <class T>
inline void transpose(int64_t rows,
                      int64_t columns,
                      const T* __restrict in,
                      int64_t in_stride,
                      T* __restrict out,
                      int64_t out_stride) {
  for (int64_t c = 0; c < columns; c += kLanes<T>) {
    for (int64_t r = 0; r < rows; r += kLanes<T>) {
      transpose(in + r * in_stride + c, in_stride, out + c * out_stride + r, out_stride);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_TRANSPOSE_H
