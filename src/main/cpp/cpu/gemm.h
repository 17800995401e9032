// cpu/gemm.h: the matrix product under all kernels: packed panels and one register-blocked
// micro-kernel.
//
// A panel holds kPanel rows of a matrix with the reduction index outside: panel[k * kPanel + r].
// The rows of the last panel beyond the matrix are zero, so products need no bounds test. Both
// operands have this form; a product C = A B' over K takes one panel of each and gives a kPanel x
// kPanel tile.
//
// No BLAS: its thread pool and its bits depend on the number of threads (docs/design.md).
#ifndef STRUCTKD_CPU_GEMM_H
#define STRUCTKD_CPU_GEMM_H

#include "cpu/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Two vectors wide: per step of K the micro-kernel loads 2 vectors, broadcasts kRows scalars and
// issues 2 kRows multiply-adds into 2 kRows registers (16 of 32 with AVX-512, 8 of 16 else), enough
// to cover an FMA latency of 4 cycles at two per cycle.
template <class T>
constexpr int kPanel = 2 * kLanes<T>;
template <class T>
constexpr int kRows = kVectorBytes == 64 ? 8 : 4;

template <class T>
inline int64_t panels(int64_t rows) {
  return divide_up(rows, kPanel<T>);
}

// tile[r * kPanel + c] (+)= sum_k a[k, r] b[k, c] for the kRows rows from a on. Accumulate
// adds to the tile in its own type, which may be wider than the product's.
template <class T, class Tile, bool Accumulate>
inline void micro_kernel(int64_t K,
                         const T* __restrict a,
                         const T* __restrict b,
                         Tile* __restrict tile) {
  Vector<T> low[kRows<T>] = {}, high[kRows<T>] = {};
  for (int64_t k = 0; k < K; ++k) {
    const Vector<T> b0 = load(b), b1 = load(b + kLanes<T>);
#pragma GCC unroll 8
    for (int r = 0; r < kRows<T>; ++r) {
      low[r] += a[r] * b0;
      high[r] += a[r] * b1;
    }
    a += kPanel<T>;
    b += kPanel<T>;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows<T>; ++r) {
    T row[kPanel<T>];
    store(row, low[r]);
    store(row + kLanes<T>, high[r]);
    Tile* out = tile + r * kPanel<T>;
    for (int c = 0; c < kPanel<T>; ++c) out[c] = Accumulate ? out[c] + Tile(row[c]) : Tile(row[c]);
  }
}

// tile = A B' (or tile += A B') for one panel of each, K reduction steps.
template <class T, class Tile, bool Accumulate>
inline void panel_product(int64_t K, const T* a, const T* b, Tile* tile) {
  for (int r = 0; r < kPanel<T>; r += kRows<T>) {
    micro_kernel<T, Tile, Accumulate>(K, a + r, b, tile + r * kPanel<T>);
  }
}

// Reduction steps between two additions to a wider tile: bounds the f32 rounding of long sums, and
// the two panels of a block fit a 32 KB first-level cache.
constexpr int64_t kBlockK = 128;

// tile += A B', the products in T and the sums over blocks of kBlockK in Tile.
template <class T, class Tile>
inline void blocked_panel_product(int64_t K, const T* a, const T* b, Tile* tile) {
  for (int64_t k = 0; k < K; k += kBlockK) {
    const int64_t block = smaller(kBlockK, K - k);
    panel_product<T, Tile, true>(block, a + k * kPanel<T>, b + k * kPanel<T>, tile);
  }
}

// rows[r * stride + k], r < count <= kPanel, k < K  ->  one panel with zero rows behind.
template <class T>
inline void pack_panel(const T* rows, int64_t stride, int64_t count, int64_t K, T* panel) {
  for (int64_t r = 0; r < kPanel<T>; ++r) {
    if (r < count) {
      for (int64_t k = 0; k < K; ++k) panel[k * kPanel<T> + r] = rows[r * stride + k];
    } else {
      for (int64_t k = 0; k < K; ++k) panel[k * kPanel<T> + r] = T(0);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_GEMM_H
