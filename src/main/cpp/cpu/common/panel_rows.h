// cpu/common/panel_rows.h: a packed panel of vectors, [K, kColumns], as the rows of a product, too.
#ifndef STRUCTKD_CPU_COMMON_PANEL_ROWS_H
#define STRUCTKD_CPU_COMMON_PANEL_ROWS_H

#include "cpu/common/gemm.h"
#include "cpu/common/transpose.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The vectors of a panel become rows over K, a multiple of kLanes; the last panel is followed by
// zero rows up to a whole micro-kernel.
template <class T>
inline void panel_to_rows(
    int64_t panel, bool last, int64_t K, const T* columns, const RowBlocks<T>& rows) {
  constexpr int64_t P = kColumns<T>;
  const int64_t count = (panel + 1) * P, missing = last ? RowBlocks<T>::padded(count) - count : 0;
  for (int64_t k = 0; k < K; k += kBlockK) {
    T* block = rows.row(panel * P, k / kBlockK);
    transpose(smaller(kBlockK, K - k), P, columns + k * P, P, block, kBlockK);
    memset(block + P * kBlockK, 0, size_t(missing * kBlockK) * sizeof(T));
  }
}

// The channels of a panel become a piece of rows over vectors; channels past C become zero.
template <class T>
inline void panel_to_channels(int64_t panel,
                              int64_t C,
                              const T* columns,
                              const RowBlocks<T>& rows) {
  constexpr int64_t P = kColumns<T>;
  for (int64_t c = 0; c < rows.count; ++c) {
    T* row = &rows.at(c, panel * P);
    if (c < C) {
      memcpy(row, columns + c * P, P * sizeof(T));
    } else {
      memset(row, 0, P * sizeof(T));
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_PANEL_ROWS_H
