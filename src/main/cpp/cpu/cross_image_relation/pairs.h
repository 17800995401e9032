// cpu/cross_image_relation/pairs.h: what the tiles of cosines are used for. Columns are the nodes i
// of one block, in panels, rows are the nodes j of another; a = cosine of the student, b = of the
// teacher, e(x) = exp((x - 1) / temperature).
//
//   sums, one pass   S = sum_j e(a)    T = sum_j e(b)    W = sum_j e(b) d    d = (b - a) / temperature
//                    F = sum_j e(b) phi(d) = S - T + W   phi(d) = e^-d - 1 + d >= 0
//                    for i over j and, of the same terms, for j over i
//   KL of row i      W / T + log(S / T), or, where that is small, W / T + log(1 + (F - W) / T):
//                    of F no digit is lost
//   slope of a pair  e(a) (1 / S_i + 1 / S_j) - e(b) (1 / T_i + 1 / T_j), in both rows that it is in
#ifndef STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H
#define STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H

#include "core/divergence.h"
#include "cpu/common/lane_sums.h"
#include "cpu/common/transpose.h"
#include "cpu/common/vector_math.h"
#include "cpu/cross_image_relation/relation.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// e(x) for a temperature.
template <class T>
struct Exponential {
  T rate;  // of exp2, in units of cosines

  explicit Exponential(double temperature) : rate(T(kLog2E / temperature)) {}

  Vector<T> operator()(Vector<T> cosine) const { return vector_exp2<T>((cosine - T(1)) * rate); }
};

// Adds the pairs of `columns` with `rows` nodes to the sums of the columns, and to those of the rows
// where these are not null: in T within the tile, in f64 from tile to tile.
template <class T>
inline void add_pairs(double temperature,
                      const T* a_tile,
                      const T* b_tile,
                      int64_t columns,
                      int64_t rows,
                      double* column_sums,
                      double* row_sums) {
  constexpr int64_t P = kColumns<T>, L = kLanes<T>, kSums = Relation<T>::kSums;
  const Exponential<T> e(temperature);
  const T inverse = T(1 / temperature);
  T totals[kSums][kBlockNodes] = {}, counts[kBlockNodes] = {};  // a column past the last counts 0
  for (int64_t i = 0; i < columns; ++i) counts[i] = T(1);
  for (int64_t j = 0; j < rows; ++j) {
    Vector<T> row[kSums] = {};
    for (int64_t i = 0; i < columns; i += L) {
      const int64_t at = i / P * Relation<T>::kTile + j * P + i % P;
      const Vector<T> a = load(a_tile + at), b = load(b_tile + at), counted = load(counts + i);
      const Vector<T> d = (b - a) * inverse, es = e(a) * counted, et = e(b) * counted;
      const Vector<T> far = es - et + et * d, near = et * (d * d * Phi<T>::over_square(d));
      const Vector<T> terms[kSums] = {es, et, et * d,
                                      choose<T>((d < T(1)) & (d > T(-1)), near, far)};
#pragma GCC unroll 4
      for (int64_t s = 0; s < kSums; ++s) {
        store(totals[s] + i, load(totals[s] + i) + terms[s]);
        row[s] += terms[s];
      }
    }
    if (row_sums == nullptr) continue;
    T sums[kSums > L ? kSums : L];
    sum_lanes_of<T, int(kSums)>(row, sums);
    for (int64_t s = 0; s < kSums; ++s) row_sums[s * kBlockNodes + j] += double(sums[s]);
  }
  for (int64_t s = 0; s < kSums; ++s) {
    for (int64_t i = 0; i < columns; ++i) {
      column_sums[s * kBlockNodes + i] += double(totals[s][i]);
    }
  }
}

// Ends an image for the first `count` nodes of a block: their shares, and the divergence of their
// rows.
template <class T>
inline double end_rows(const double* sums, int64_t count, T* student_share, T* teacher_share) {
  double total = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double S = sums[i], T_ = sums[kBlockNodes + i];
    const double W = sums[2 * kBlockNodes + i], F = sums[3 * kBlockNodes + i];
    student_share[i] = T(1.0 / S);
    teacher_share[i] = T(1.0 / T_);
    total += divergence_of_sums(S, T_, W, F);
  }
  return total;
}

// Shares of both rows that a pair is in, of one net.
template <class T>
struct Shares {
  T columns[kBlockNodes] = {};  // of the columns' nodes, against the image of the rows
  const T* rows;                // against the image of the columns

  Shares(const T* of_columns, int64_t count, const T* of_rows) : rows(of_rows) {
    memcpy(columns, of_columns, size_t(count) * sizeof(T));
  }
};

// Puts the slopes of the pairs of `columns` with `rows` nodes in the place of the student's cosines.
template <class T>
inline void replace_by_slopes(double temperature,
                              const Shares<T>& student,
                              const Shares<T>& teacher,
                              int64_t columns,
                              int64_t rows,
                              T* a_tile,
                              const T* b_tile) {
  constexpr int64_t P = kColumns<T>, L = kLanes<T>;
  const Exponential<T> e(temperature);
  for (int64_t i = 0; i < columns; i += L) {
    const Vector<T> own_s = load(student.columns + i), own_t = load(teacher.columns + i);
    const int64_t at = i / P * Relation<T>::kTile + i % P;
    for (int64_t j = 0; j < rows; ++j) {
      // Both products rounded, not fused into the difference: equal nets have slopes of 0.
      const Vector<T> s = in_register<T>(e(load(a_tile + at + j * P)) * (own_s + student.rows[j]));
      const Vector<T> t = in_register<T>(e(load(b_tile + at + j * P)) * (own_t + teacher.rows[j]));
      store(a_tile + at + j * P, s - t);
    }
  }
}

// Turns the slopes over: the tile of `columns` panels and `rows` becomes one whose columns are the
// rows' nodes. Lanes past the last row hold whatever the tile does there.
template <class T>
inline void turn_over(const T* tile, int64_t columns, int64_t rows, T* turned) {
  constexpr int64_t P = kColumns<T>, kTile = Relation<T>::kTile;
  for (int64_t j = 0; j < rows; j += P) {
    for (int64_t i = 0; i < columns; i += P) {
      transpose(P, P, tile + i / P * kTile + j * P, P, turned + j / P * kTile + i * P, P);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H
