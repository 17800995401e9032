// cpu/inter_class_matrix.h: the K x K divergences of one image and net in one pass over its logits.
//
//   M_ij = A_ii - A_ij - lse_i + lse_j,   A_ij = sum_x p_i(x) u_j(x),   lse_i = log sum_x
//   e^{u_i(x)}
//
// Each part of the image keeps a running maximum m_i per class, l_i = sum e^{u_i - m_i} and
// A_ij = sum e^{u_i - m_i} u_j; when m_i grows, row i is rescaled. Parts are merged in order. Sums
// are T within a tile and f64 across tiles.
#ifndef STRUCTKD_CPU_INTER_CLASS_MATRIX_H
#define STRUCTKD_CPU_INTER_CLASS_MATRIX_H

#include "cpu/inter_class_tile.h"
#include "cpu/lane_sums.h"
#include "cpu/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Sums over pixels, of one part or of the image.
struct ClassSums {
  double* maximum;   // [K] of u; -inf before the first pixel
  double* mass;      // [K] l
  double* products;  // [class_rows, class_rows] A

  ClassSums(int64_t K, Workspace& workspace) {
    maximum = workspace.take<double>(class_rows(K));
    mass = workspace.take<double>(class_rows(K));
    products = workspace.take<double>(class_rows(K) * class_rows(K));
  }
};

// One net of one image.
template <class T>
struct ClassNet {
  const Map* map;
  T* shift;         // [K]
  double* lse;      // [K] of u
  double* M;        // [K, K]
  ClassSums image;  // merged sums
  void* parts;      // ClassSums of each part, one after the other
  size_t part_bytes;

  ClassNet(const Map& logits, int64_t part_count, Workspace& workspace)
      : map(&logits),
        shift(workspace.take<T>(logits.C)),
        lse(workspace.take<double>(logits.C)),
        M(workspace.take<double>(logits.C * logits.C)),
        image(logits.C, workspace) {
    Workspace one(nullptr);
    ClassSums(logits.C, one);
    part_bytes = one.bytes();
    parts = workspace.take<char>(part_count * int64_t(part_bytes));
  }

  ClassSums part(int64_t index) const {
    Workspace memory(static_cast<char*>(parts) + index * int64_t(part_bytes));
    return ClassSums(map->C, memory);
  }
};

// Columns of a block of products: with 4 rows, 16 of the 32 registers of AVX-512, 8 of 16 else.
constexpr int kDotColumns = kVectorBytes == 64 ? 4 : 2;

// sums[r, c] += sum_x e[r, x] u[c, x] for 4 rows of e and kDotColumns rows of u.
template <class T>
inline void dot_block(const T* __restrict e,
                      const T* __restrict u,
                      int64_t stride,
                      int64_t columns,
                      double* __restrict sums,
                      int64_t sums_stride) {
  constexpr int kSums = int(kClassBlock) * kDotColumns;
  Vector<T> sum[kSums] = {};
  for (int64_t x = 0; x < columns; x += kLanes<T>) {
    Vector<T> right[kDotColumns];
#pragma GCC unroll 4
    for (int c = 0; c < kDotColumns; ++c) right[c] = load(u + c * stride + x);
#pragma GCC unroll 4
    for (int r = 0; r < kClassBlock; ++r) {
      const Vector<T> left = load(e + r * stride + x);
#pragma GCC unroll 4
      for (int c = 0; c < kDotColumns; ++c) sum[r * kDotColumns + c] += left * right[c];
    }
  }
  T totals[kSums];
  sum_lanes_of<T, kSums>(sum, totals);
  for (int r = 0; r < kClassBlock; ++r) {
    for (int c = 0; c < kDotColumns; ++c) {
      sums[r * sums_stride + c] += double(totals[r * kDotColumns + c]);
    }
  }
}

// e[x] = exp(u[x] - maximum) for x < count, 0 behind; returns their sum.
template <class T>
inline T exponentials(const T* u, T maximum, int64_t count, T* e) {
  const int64_t columns = padded_columns<T>(count);
  Vector<T> sum = {};
  for (int64_t x = 0; x < columns; x += kLanes<T>) {
    store(e + x, vector_exp<T>(load(u + x) - maximum));
  }
  for (int64_t x = count; x < columns; ++x) e[x] = T(0);
  for (int64_t x = 0; x < columns; x += kLanes<T>) sum += load(e + x);
  return sum_of_lanes<T>(sum);
}

inline void start_sums(const ClassSums& sums, int64_t K) {
  const int64_t rows = class_rows(K);
  for (int64_t i = 0; i < K; ++i) {
    sums.maximum[i] = -HUGE_VAL;
    sums.mass[i] = 0.0;
  }
  memset(sums.products, 0, size_t(rows * rows) * sizeof(double));
}

// Adds the pixels of one tile.
template <class T>
inline void add_tile(const ClassNet<T>& net,
                     const Tile<T>& tile,
                     int64_t b,
                     const Pixels& pixels,
                     T inverse_temperature,
                     const ClassSums& sums) {
  const int64_t K = net.map->C, rows = class_rows(K);
  for (int64_t i = 0; i < K; ++i) {
    T* u = tile.u + i * tile.stride;
    load_shifted(*net.map, b, i, pixels, net.shift[i], inverse_temperature, u);
    const double maximum = double(largest_of(u, pixels.count));
    if (maximum > sums.maximum[i]) {
      const double shrink = exp(sums.maximum[i] - maximum);
      sums.mass[i] *= shrink;
      for (int64_t j = 0; j < K; ++j) sums.products[i * rows + j] *= shrink;
      sums.maximum[i] = maximum;
    }
    sums.mass[i] +=
        double(exponentials(u, T(sums.maximum[i]), pixels.count, tile.e + i * tile.stride));
  }
  const int64_t columns = padded_columns<T>(pixels.count);
  for (int64_t i = 0; i < rows; i += kClassBlock) {
    for (int64_t j = 0; j < rows; j += kDotColumns) {
      dot_block(tile.e + i * tile.stride, tile.u + j * tile.stride, tile.stride, columns,
                sums.products + i * rows + j, rows);
    }
  }
}

// Merges the parts in order and forms M. Not inlined: student and teacher must take the same
// instructions, or equal logits would give different matrices.
template <class T>
__attribute__((noinline)) void finish_matrix(const ClassNet<T>& net, int64_t part_count) {
  const int64_t K = net.map->C, rows = class_rows(K);
  const ClassSums& image = net.image;
  start_sums(image, K);
  for (int64_t p = 0; p < part_count; ++p) {
    const ClassSums part = net.part(p);
    for (int64_t i = 0; i < K; ++i) image.maximum[i] = larger(image.maximum[i], part.maximum[i]);
  }
  for (int64_t p = 0; p < part_count; ++p) {
    const ClassSums part = net.part(p);
    for (int64_t i = 0; i < K; ++i) {
      const double factor = exp(part.maximum[i] - image.maximum[i]);
      image.mass[i] += factor * part.mass[i];
      for (int64_t j = 0; j < K; ++j) {
        image.products[i * rows + j] += factor * part.products[i * rows + j];
      }
    }
  }
  for (int64_t i = 0; i < K; ++i) net.lse[i] = image.maximum[i] + log(image.mass[i]);
  for (int64_t i = 0; i < K; ++i) {
    const double* A = image.products + i * rows;
    for (int64_t j = 0; j < K; ++j) {
      net.M[i * K + j] = (A[i] - A[j]) / image.mass[i] - net.lse[i] + net.lse[j];
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_MATRIX_H
