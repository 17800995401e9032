// cpu/cross_image_relation/pairs.h: what the tiles of cosines are used for. Columns are owners i,
// rows are nodes j of one image; a = cosine of the student, b = of the teacher, e(x) = exp((x - 1)
// / temperature).
//
//   sums, one pass   S = sum_j e(a)    T = sum_j e(b)    W = sum_j e(b) d    d = (b - a) / temperature
//                    F = sum_j e(b) phi(d) = S - T + W   phi(d) = e^-d - 1 + d >= 0
//   KL of row i      W / T + log(S / T), or, where that is small, W / T + log(1 + (F - W) / T):
//                    of F no digit is lost
//   slope of a pair  e(a) (1 / S_i + 1 / S_j) - e(b) (1 / T_i + 1 / T_j), in both rows that it is in
#ifndef STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H
#define STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H

#include "core/divergence.h"
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

// Adds `count` rows of a tile, at most kPassRows, to the sums of a panel of owners: in T within the
// tile, in f64 from tile to tile.
template <class T>
inline void add_rows(
    double temperature, const T* a_tile, const T* b_tile, int64_t count, double* sums) {
  constexpr int64_t P = kColumns<T>, L = kLanes<T>;
  const Exponential<T> e(temperature);
  const T inverse = T(1 / temperature);
  for (int64_t c = 0; c < P; c += L) {
    Vector<T> student = {}, teacher = {}, gap = {}, excess = {};
    for (int64_t j = 0; j < count; ++j) {
      const Vector<T> a = load(a_tile + j * P + c), b = load(b_tile + j * P + c);
      const Vector<T> d = (b - a) * inverse, es = e(a), et = e(b);
      const Vector<T> far = es - et + et * d, near = et * (d * d * Phi<T>::over_square(d));
      student += es;
      teacher += et;
      gap += et * d;
      excess += choose<T>((d < T(1)) & (d > T(-1)), near, far);
    }
    const Vector<T> totals[] = {student, teacher, gap, excess};
    for (int64_t s = 0; s < Relation<T>::kSums; ++s) {
      T lanes[L];
      store(lanes, totals[s]);
      for (int64_t l = 0; l < L; ++l) sums[s * P + c + l] += double(lanes[l]);
    }
  }
}

// Ends an image for the first `count` owners of a panel: their shares, and the divergence of their
// rows.
template <class T>
inline double end_rows(const double* sums, int64_t count, T* student_share, T* teacher_share) {
  constexpr int64_t P = kColumns<T>;
  double total = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double S = sums[i], T_ = sums[P + i], W = sums[2 * P + i], F = sums[3 * P + i];
    student_share[i] = T(1.0 / S);
    teacher_share[i] = T(1.0 / T_);
    total += divergence_of_sums(S, T_, W, F);
  }
  return total;
}

// Shares of both rows that a pair is in, of one net.
template <class T>
struct Shares {
  T owners[kColumns<T>] = {};  // of a panel's nodes, against the image of the rows
  const T* rows;               // against the image of the owners

  Shares(const T* of_owners, int64_t count, const T* of_rows) : rows(of_rows) {
    memcpy(owners, of_owners, size_t(count) * sizeof(T));
  }
};

// Puts the slopes of a tile's pairs in the place of the student's cosines.
template <class T>
inline void replace_by_slopes(double temperature,
                              const Shares<T>& student,
                              const Shares<T>& teacher,
                              int64_t count,
                              T* a_tile,
                              const T* b_tile) {
  constexpr int64_t P = kColumns<T>, L = kLanes<T>;
  const Exponential<T> e(temperature);
  for (int64_t c = 0; c < P; c += L) {
    const Vector<T> own_s = load(student.owners + c), own_t = load(teacher.owners + c);
    for (int64_t j = 0; j < count; ++j) {
      // Both products rounded, not fused into the difference: equal nets have slopes of 0.
      const Vector<T> s = in_register<T>(e(load(a_tile + j * P + c)) * (own_s + student.rows[j]));
      const Vector<T> t = in_register<T>(e(load(b_tile + j * P + c)) * (own_t + teacher.rows[j]));
      store(a_tile + j * P + c, s - t);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_CROSS_IMAGE_RELATION_PAIRS_H
