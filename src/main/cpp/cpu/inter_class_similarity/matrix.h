// cpu/inter_class_similarity/matrix.h: the K x K divergences of one image and net in one pass over
// its logits.
//
//   M_ij / ln 2 = (A_ii - A_ij) / l_i - lse_i + lse_j,   lse_i = m_i + log2 l_i
//   l_i = sum_x e_i(x),   A_ij = sum_x e_i(x) u_j(x),    e_i = 2^(u_i - m_i)
//
// m_i is 0 until an exponential gets out of hand: then it becomes the largest u_i of that tile, and
// row i is rescaled. Parts of the image keep sums of their own, which are merged in order. Sums are
// T within a tile and f64 across tiles.
#ifndef STRUCTKD_CPU_INTER_CLASS_SIMILARITY_MATRIX_H
#define STRUCTKD_CPU_INTER_CLASS_SIMILARITY_MATRIX_H

#include "cpu/common/groups.h"
#include "cpu/common/lane_sums.h"
#include "cpu/inter_class_similarity/tile.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Sums over pixels, of one part or of the image.
struct ClassSums {
  double* reference;  // [K] m
  double* mass;       // [K] l
  double* products;   // [K, K] A

  ClassSums(int64_t K, Workspace& workspace)
      : reference(workspace.take<double>(K)),
        mass(workspace.take<double>(K)),
        products(workspace.take<double>(K * K)) {}
};

// The matrix of one net of one image, and what it is made of.
template <class T>
struct ClassNet {
  const Map* map;
  T* shift;         // [K]
  double* lse;      // [K] in bits
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

// Rows and columns of a block of products: 24 sums, and 4 columns of the 32 registers of AVX-512,
// 12 and 3 of 16 with AVX2, 8 and 2 with SSE2, which needs one more for each product.
constexpr int kDotRows = kVectorBytes == 64 ? 6 : 4;
constexpr int kDotColumns = kVectorBytes == 64 ? 4 : kVectorBytes == 32 ? 3 : 2;

// A thread's buffers.
template <class T>
struct SumTile {
  int64_t stride;
  T* u;          // [K, stride]; first a copy of the logits, where one is needed
  T* e;          // [kDotRows, stride] of the classes at work
  double* mass;  // [K, kLanes]

  SumTile(int64_t K, Workspace& workspace) : stride(tile_stride<T>(K)) {
    u = workspace.take<T>(K * stride);
    e = workspace.take<T>(kDotRows * stride);
    mass = workspace.take<double>(K * kLanes<T>);
  }
};

// sums[r, c] += sum_x e[r, x] u[c, x]. A function of its own, so that the sums stay in registers.
template <class T, int rows, int cols>
__attribute__((noinline)) void add_products(const T* __restrict e,
                                            const T* __restrict u,
                                            int64_t stride,
                                            int64_t columns,
                                            double* __restrict sums,
                                            int64_t sums_stride) {
  Vector<T> sum[rows * cols] = {};
  for (int64_t x = 0; x < columns; x += kLanes<T>) {
    Vector<T> right[cols];
#pragma GCC unroll 4
    for (int c = 0; c < cols; ++c) right[c] = in_register<T>(load(u + c * stride + x));
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
      const Vector<T> left = in_register<T>(load(e + r * stride + x));
#pragma GCC unroll 4
      for (int c = 0; c < cols; ++c) sum[r * cols + c] += left * right[c];
    }
  }
  T totals[rows * cols + kLanes<T>];
  sum_lanes_of<T, rows * cols>(sum, totals);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) sums[r * sums_stride + c] += double(totals[r * cols + c]);
  }
}

// Turns logits into u; both may be the same buffer.
template <class T>
inline void shift_row(const T* logits, T shift, T scale, int64_t columns, T* u) {
  for (int64_t x = 0; x < columns; x += kLanes<T>) {
    store(u + x, Vector<T>((load(logits + x) - shift) * scale));
  }
}

// e = 2^(u - reference), 0 behind `count`; returns the sums of the lanes. Fetches the class's row
// of the next tile, if `ahead` is one: hardware does not foresee so many planes.
template <class T>
inline Vector<T> exponentials(const T* u, T reference, int64_t count, T* e, const T* ahead) {
  Vector<T> sum = {};
  int64_t x = 0;
  for (; x + kLanes<T> <= count; x += kLanes<T>) {
    const Vector<T> power = vector_exp2<T>(load(u + x) - reference);
    sum += power;
    store(e + x, power);
    if (ahead != nullptr) __builtin_prefetch(ahead + x, 0, 2);
  }
  for (; x < padded_columns<T>(count); x += kLanes<T>) {
    T powers[kLanes<T>];
    store(powers, vector_exp2<T>(load(u + x) - reference));
    for (int l = 0; l < kLanes<T>; ++l) {
      if (x + l >= count) powers[l] = T(0);
    }
    sum += load(powers);
    store(e + x, load(powers));
  }
  return sum;
}

// The exponentials of class i in a tile, and their sum.
template <class T>
inline void add_exponentials(const SumTile<T>& tile,
                             int64_t K,
                             int64_t i,
                             int64_t count,
                             T* e,
                             const T* ahead,
                             const ClassSums& sums) {
  // Far from the largest number of f32, also if all pixels of a tile come close.
  constexpr T kLimit = T(0x1p32);
  T* u = tile.u + i * tile.stride;
  double* mass = tile.mass + i * kLanes<T>;
  Vector<T> sum = exponentials(u, T(sums.reference[i]), count, e, ahead);
  if (any<T>(~(sum < kLimit))) {  // or NaN
    const double largest = double(largest_of(u, count));
    const double shrink = exp2(sums.reference[i] - largest);
    for (int l = 0; l < kLanes<T>; ++l) mass[l] *= shrink;
    for (int64_t j = 0; j < K; ++j) sums.products[i * K + j] *= shrink;
    sums.reference[i] = largest;
    sum = exponentials(u, T(largest), count, e, ahead);
  }
  T lanes[kLanes<T>];
  store(lanes, sum);
  for (int l = 0; l < kLanes<T>; ++l) mass[l] += double(lanes[l]);
}

template <class T>
inline void start_sums(const SumTile<T>& tile, const ClassSums& sums, int64_t K) {
  memset(sums.reference, 0, size_t(K) * sizeof(double));
  memset(sums.products, 0, size_t(K * K) * sizeof(double));
  memset(tile.mass, 0, size_t(K * kLanes<T>) * sizeof(double));
}

template <class T>
inline void finish_sums(const SumTile<T>& tile, const ClassSums& sums, int64_t K) {
  for (int64_t i = 0; i < K; ++i) {
    sums.mass[i] = 0.0;
    for (int l = 0; l < kLanes<T>; ++l) sums.mass[i] += tile.mass[i * kLanes<T> + l];
  }
}

// Adds the pixels of one tile.
template <class T>
inline void add_tile(const ClassNet<T>& net,
                     const SumTile<T>& tile,
                     int64_t b,
                     const Pixels& pixels,
                     T scale,
                     const ClassSums& sums) {
  const int64_t K = net.map->C, stride = tile.stride;
  const int64_t columns = padded_columns<T>(pixels.count);
  const Logits<T> logits = logits_of_tile(*net.map, net.shift, b, pixels, tile.u, stride);
  for (int64_t i = 0; i < K; ++i) {
    shift_row(logits.row(i), net.shift[i], scale, columns, tile.u + i * stride);
  }
  const Groups row_groups(K, kDotRows), column_groups(K, kDotColumns);
  row_groups.for_each([&](int64_t i, int64_t rows) {
    for (int64_t r = 0; r < rows; ++r) {
      const T* ahead = logits.in_place ? logits.row(i + r) + columns : nullptr;
      add_exponentials(tile, K, i + r, pixels.count, tile.e + r * stride, ahead, sums);
    }
    with_size<kDotRows>(rows, [&](auto row_count) {
      column_groups.for_each([&](int64_t j, int64_t cols) {
        with_size<kDotColumns>(cols, [&](auto column_count) {
          add_products<T, decltype(row_count)::value, decltype(column_count)::value>(
              tile.e, tile.u + j * stride, stride, columns, sums.products + i * K + j, K);
        });
      });
    });
  });
}

// Merges the parts in order and forms M. Not inlined: student and teacher must take the same
// instructions, or equal logits would give different matrices.
template <class T>
__attribute__((noinline)) void finish_matrix(const ClassNet<T>& net, int64_t part_count) {
  const int64_t K = net.map->C;
  const ClassSums& image = net.image;
  for (int64_t i = 0; i < K; ++i) {
    double* A = image.products + i * K;
    image.reference[i] = net.part(0).reference[i];
    for (int64_t p = 1; p < part_count; ++p) {
      image.reference[i] = larger(image.reference[i], net.part(p).reference[i]);
    }
    image.mass[i] = 0.0;
    for (int64_t j = 0; j < K; ++j) A[j] = 0.0;
    for (int64_t p = 0; p < part_count; ++p) {
      const ClassSums part = net.part(p);
      const double factor = exp2(part.reference[i] - image.reference[i]);
      image.mass[i] += factor * part.mass[i];
      for (int64_t j = 0; j < K; ++j) A[j] += factor * part.products[i * K + j];
    }
    net.lse[i] = image.reference[i] + log2(image.mass[i]);
  }
  for (int64_t i = 0; i < K; ++i) {
    const double* A = image.products + i * K;
    for (int64_t j = 0; j < K; ++j) {
      net.M[i * K + j] = kLn2 * ((A[i] - A[j]) / image.mass[i] - net.lse[i] + net.lse[j]);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_SIMILARITY_MATRIX_H
