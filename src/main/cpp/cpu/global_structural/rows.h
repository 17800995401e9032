// cpu/global_structural/rows.h: the sampled rows of one image: gathered, scaled to unit length and
// packed for products, and the way back from the gradient of rows to the gradient of the map.
#ifndef STRUCTKD_CPU_GLOBAL_STRUCTURAL_ROWS_H
#define STRUCTKD_CPU_GLOBAL_STRUCTURAL_ROWS_H

#include <math.h>

#include "core/global_structural_args.h"
#include "core/workspace.h"
#include "cpu/common/access.h"
#include "cpu/common/gemm.h"
#include "cpu/common/panel_rows.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Rows of one net: the samples, in panels of P. T is the type of products: f64 for f64 inputs, else
// f32.
template <class T>
struct Rows {
  static constexpr int64_t P = kColumns<T>;

  int64_t C, K;           // K: channels, padded for transpositions
  T* columns;             // [panels, K, P]: reduction over channels; zero rows fill the last panel
  RowBlocks<T> samples;   // over channels
  RowBlocks<T> channels;  // over samples, or not taken
  double* inverse;  // [padded M] 1 / |f| of a scaled row, 0 of a zero row, 1 if rows stay as is

  Rows(int64_t channels_of_map, int64_t max_samples, bool want_channels, Workspace& workspace)
      : C(channels_of_map), K(round_up(channels_of_map, kLanes<T>)) {
    const int64_t padded = column_panels<T>(max_samples) * P;
    columns = workspace.take<T>(padded * K);
    samples.count = RowBlocks<T>::padded(padded);
    samples.data = workspace.take<T>(RowBlocks<T>::elements(padded, C));
    channels.count = RowBlocks<T>::padded(C);
    channels.data = workspace.take<T>(want_channels ? RowBlocks<T>::elements(C, padded) : 0);
    inverse = workspace.take<double>(padded);
  }

  T* panel(int64_t p) const { return columns + p * K * P; }
};

template <class Stored, class T>
inline void gather_channel(
    const Map& map, int64_t base, const int64_t* offset, int64_t count, T* out) {
  const Stored* data = static_cast<const Stored*>(map.data) + base;
  for (int64_t i = 0; i < count; ++i) out[i] = T(widen(data[offset[i]]));
}

// Fills panel p: P rows from sample p * P on.
template <class T>
inline void gather_panel(const GlobalStructuralArgs& args,
                         const Map& map,
                         int64_t b,
                         int64_t M,
                         int64_t p,
                         Rows<T>& rows) {
  constexpr int64_t P = Rows<T>::P;
  const int64_t count = smaller(P, M - p * P);
  int64_t offset[P] = {};
  bool outside[P] = {}, any_outside = false;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = pixel_of(args, b, p * P + i);
    outside[i] = n < 0;
    any_outside |= outside[i];
    if (n >= 0) offset[i] = n / map.W * map.stride_h + n % map.W * map.stride_w;
  }
  T* packed = rows.panel(p);
  double squares[P] = {};
  for (int64_t c = 0; c < rows.C; ++c) {
    T* row = packed + c * P;
    const int64_t base = b * map.stride_b + c * map.stride_c;
    with_element_type(map.dtype, [&](auto stored) {
      gather_channel<decltype(stored)>(map, base, offset, count, row);
    });
    for (int64_t i = count; i < P; ++i) row[i] = T(0);
    for (int64_t i = 0; any_outside && i < count; ++i) {
      if (outside[i]) row[i] = T(0);
    }
    for (int64_t i = 0; i < P; ++i) squares[i] += double(row[i]) * double(row[i]);
  }
  memset(packed + rows.C * P, 0, size_t((rows.K - rows.C) * P) * sizeof(T));
  double* inverse = rows.inverse + p * P;
  for (int64_t i = 0; i < P; ++i) {
    const double norm = sqrt(squares[i]);
    // A NaN is not a zero row: it must show.
    inverse[i] = !args.normalize ? 1.0 : norm <= args.eps ? 0.0 : 1.0 / norm;
  }
  if (!args.normalize) return;
  for (int64_t c = 0; c < rows.C; ++c) {
    T* row = packed + c * P;
    for (int64_t i = 0; i < P; ++i) row[i] = T(row[i] * inverse[i]);
  }
}

// grad[c, i] of the rows of panel p, in place: through the scaling to unit length.
//   g = (g - x <x, g>) / |f|
// grad has `stride` columns and starts at the panel's first.
template <class T>
inline void through_unit_length(const Rows<T>& rows, int64_t p, int64_t stride, double* grad) {
  constexpr int64_t P = Rows<T>::P;
  const T* packed = rows.panel(p);
  const double* inverse = rows.inverse + p * P;
  double along[P] = {};
  for (int64_t c = 0; c < rows.C; ++c) {
    for (int64_t i = 0; i < P; ++i) along[i] += double(packed[c * P + i]) * grad[c * stride + i];
  }
  for (int64_t c = 0; c < rows.C; ++c) {
    double* g = grad + c * stride;
    for (int64_t i = 0; i < P; ++i)
      g[i] = (g[i] - double(packed[c * P + i]) * along[i]) * inverse[i];
  }
}

// Writes channel c of image b: the rows' gradients [M], added to their pixels in row order, and 0
// elsewhere. pixels: H * W numbers of scratch.
inline void scatter_channel(const GlobalStructuralArgs& args,
                            int64_t b,
                            int64_t c,
                            int64_t M,
                            const double* grad,
                            double* pixels) {
  const int64_t N = args.student.H * args.student.W;
  for (int64_t n = 0; n < N; ++n) pixels[n] = 0.0;
  for (int64_t m = 0; m < M; ++m) {
    const int64_t n = pixel_of(args, b, m);
    if (n >= 0) pixels[n] += grad[m];
  }
  store_row(args.grad, b, c, 0, N, pixels);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_GLOBAL_STRUCTURAL_ROWS_H
