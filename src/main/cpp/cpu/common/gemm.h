// cpu/common/gemm.h: the matrix product under all kernels: C += A B over K, by one register-blocked
// micro-kernel.
//
//   A  rows in blocks of kBlockK steps of K: rows[r * kBlockK + k], the next block after all rows.
//      Its scalars are broadcast, so that a row of memory stays a row.
//   B  panels of kColumns columns: columns[k * kColumns + c], whole vectors.
//   C  row-major with any stride, possibly in a wider type than the products.
// Rows are padded to a multiple of kRows, columns to one of kColumns, with zeros: no bounds tests.
//
// No BLAS: its thread pool and its bits depend on the number of threads (docs/design.md).
#ifndef STRUCTKD_CPU_COMMON_GEMM_H
#define STRUCTKD_CPU_COMMON_GEMM_H

#include "cpu/common/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Rows and columns of C per micro-kernel call. A step of K loads 2 vectors of B and kRows scalars
// of A for 2 kRows multiply-adds into as many registers: 24 of 32 with AVX-512, 12 of 16 with AVX2,
// 8 of 16 with SSE2, which needs one more for each product. That is at least the 8 chains that an
// FMA of 4 cycles at two per cycle takes, and enough arithmetic per load to stream A and B from the
// second-level cache.
template <class T>
constexpr int kRows = kVectorBytes == 64   ? 12
                      : kVectorBytes == 32 ? 6
                                           : 4;
template <class T>
constexpr int kColumns = 2 * kLanes<T>;

// Steps of K between two additions to C: bounds the rounding of long f32 sums, and a panel of B (16
// KB with AVX-512) stays in a 32 KB first-level cache while rows pass by.
constexpr int64_t kBlockK = 128;

template <class T>
inline int64_t column_panels(int64_t columns) {
  return divide_up(columns, kColumns<T>);
}

// The operand A of a product: `count` rows, padded.
template <class T>
struct RowBlocks {
  int64_t count;
  T* data;

  static int64_t padded(int64_t rows) { return round_up(rows, kRows<T>); }
  static int64_t elements(int64_t rows, int64_t K) { return padded(rows) * round_up(K, kBlockK); }

  T* row(int64_t r, int64_t block) const { return data + (block * count + r) * kBlockK; }
  // Element (r, k) for writers that don't walk along k.
  T& at(int64_t r, int64_t k) const { return row(r, k / kBlockK)[k % kBlockK]; }
};

// c[i * stride + j] += sum_k rows[i * kBlockK + k] columns[k * kColumns + j] for i < kRows, j <
// kColumns, k < K <= kBlockK. A function of its own, so that the accumulators stay in registers.
template <class T, class C>
__attribute__((noinline)) void micro_kernel(int64_t K,
                                            const T* __restrict rows,
                                            const T* __restrict columns,
                                            C* __restrict c,
                                            int64_t stride) {
  // C comes from a far cache: it has the whole loop to arrive.
  for (int i = 0; i < kRows<T>; ++i) {
    for (int j = 0; j < kColumns<T>; j += 64 / int(sizeof(C)))
      __builtin_prefetch(c + i * stride + j);
  }
  const T* next_rows = rows + kRows<T> * kBlockK;  // what most callers multiply next
  Vector<T> low[kRows<T>] = {}, high[kRows<T>] = {};
  for (int64_t k = 0; k < K; ++k) {
    const Vector<T> b0 = load(columns), b1 = load(columns + kLanes<T>);
#pragma GCC unroll 12
    for (int i = 0; i < kRows<T>; ++i) {
      low[i] += rows[i * kBlockK] * b0;
      high[i] += rows[i * kBlockK] * b1;
    }
    __builtin_prefetch(next_rows);
    next_rows += kRows<T>;
    ++rows;
    columns += kColumns<T>;
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows<T>; ++i) {
    T sums[kColumns<T>];
    store(sums, low[i]);
    store(sums + kLanes<T>, high[i]);
    for (int j = 0; j < kColumns<T>; ++j) c[i * stride + j] += C(sums[j]);
  }
}

// Rows of one pass: a block of them, 48 KB with AVX-512, stays in the second-level cache for all
// panels, and a block of a panel in the first for all rows.
template <class T>
constexpr int64_t kPassRows = 8 * kRows<T>;

// Rows [first, first + count) of A, at most kPassRows, times `panels` panels that lie `stride`
// apart. The result of panel p, [count, kColumns], goes to out + p * out_stride; what pads the last
// micro-kernel is written, too.
template <class T, class C>
inline void multiply_pass(int64_t K,
                          const RowBlocks<T>& rows,
                          int64_t first,
                          int64_t count,
                          const T* columns,
                          int64_t stride,
                          int64_t panels,
                          C* out,
                          int64_t out_stride) {
  constexpr int64_t P = kColumns<T>, R = kRows<T>;
  for (int64_t p = 0; p < panels; ++p) {
    memset(out + p * out_stride, 0, size_t(round_up(count, R) * P) * sizeof(C));
  }
  for (int64_t k = 0; k < K; k += kBlockK) {
    for (int64_t p = 0; p < panels; ++p) {
      for (int64_t r = 0; r < count; r += R) {
        micro_kernel(smaller(kBlockK, K - k), rows.row(first + r, k / kBlockK),
                     columns + p * stride + k * P, out + p * out_stride + r * P, P);
      }
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_GEMM_H
