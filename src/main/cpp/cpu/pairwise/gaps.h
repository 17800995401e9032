// cpu/pairwise/gaps.h: what becomes of the gaps of pairs, a row of them at a time: the summands of
// the loss, and the factors of s_j in the gradient. A gap comes as sqrt(w_i w_j) (A_S - A_T).
#ifndef STRUCTKD_CPU_PAIRWISE_GAPS_H
#define STRUCTKD_CPU_PAIRWISE_GAPS_H

#include "core/workspace.h"
#include "cpu/common/vector_math.h"
#include "cpu/pairwise/nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Sums over the lanes of rows: of gaps, and of the student's affinities.
template <class T>
struct LaneSums {
  Vector<T> gaps, student;
};

// The panels of a group's nodes: kColumns of them, those past an image zero nodes.
template <class T>
struct NodePanelsOf {
  static constexpr int64_t P = kColumns<T>;

  const NodeGroup& group;
  int64_t per_image;

  int64_t image(int64_t panel) const { return panel / per_image; }
  int64_t first(int64_t panel) const { return panel % per_image * P; }
  int64_t count(int64_t panel) const { return smaller(P, group.N - first(panel)); }
};

// Squares: the factor is the gap itself.
template <class T>
struct SquaredGaps {
  // student, other: products of row j with the nodes of the panel; their difference, or, where
  // student and teacher are close, their sum is the gap.
  inline void row(
      int64_t, bool close, const T* student, const T* other, LaneSums<T>& sums, T* out) {
    for (int64_t c = 0; c < kColumns<T>; c += kLanes<T>) {
      const Vector<T> s = load(student + c), o = load(other + c);
      const Vector<T> gap = close ? s + o : s - o;
      sums.gaps += gap * gap;
      sums.student += s * s;
      store(out + c, gap);
    }
  }
};

// Largest rounding of a product of unit vectors in T: sums of kBlockK products err by half a unit
// for each, if all of them are rounded the same way.
template <class T>
constexpr T kProductRounding = sizeof(T) == sizeof(float) ? T(0x1p-18) : T(kTie / 2);

// What signs need to know of the nodes: the roots of their weights, and by how much their products
// may err. f32 products whose sign is in doubt are computed again in f64.
template <class T>
struct SignScratch {
  static constexpr int64_t P = kColumns<T>;
  static constexpr bool kInDoubt = sizeof(T) == sizeof(float);

  int64_t Cs, Ct;
  T* roots;       // per node
  T* roundings;   // per node: of its products with a unit vector
  double* exact;  // per thread two panels of unit vectors, [2, Cs + Ct, P]

  SignScratch(const PairwiseArgs& args, int64_t nodes, int threads, Workspace& workspace)
      : Cs(args.student.C), Ct(args.teacher.C) {
    const int64_t count = args.compare == STRUCTKD_COMPARE_L1 ? 1 : 0;
    roots = workspace.take<T>(count * nodes);
    roundings = workspace.take<T>(count * nodes);
    exact = workspace.take<double>(kInDoubt ? count * threads * 2 * panel_elements() : 0);
  }

  int64_t panel_elements() const { return (Cs + Ct) * P; }

  // Fills a panel's part; distances are those of unit vectors, and all that rounds where student
  // and teacher are close.
  inline void set(const NodePanelsOf<T>& nodes,
                  int64_t panel,
                  bool close,
                  const double* distances) const {
    const double* root = nodes.group.root + nodes.image(panel) * nodes.group.N + nodes.first(panel);
    for (int64_t i = 0; i < P; ++i) {
      const double r = i < nodes.count(panel) ? root[i] : 0.0;
      roots[panel * P + i] = T(r);
      roundings[panel * P + i] = kProductRounding<T> * T(close ? distances[i] : r);
    }
  }
};

// Absolute values: the factor is the sign.
template <class T>
class SignedGaps {
 public:
  SignedGaps(const NodePanelsOf<T>& nodes, const SignScratch<T>& scratch, int64_t panel, int thread)
      : nodes_(nodes), scratch_(scratch), panel_(panel) {
    own_ = scratch.exact + thread * 2 * scratch.panel_elements();
    others_ = own_ + scratch.panel_elements();
  }

  inline void row(
      int64_t j, bool close, const T* student, const T* other, LaneSums<T>& sums, T* out) {
    const T *roots = scratch_.roots, *roundings = scratch_.roundings;
    Integers<T> in_doubt = {};
    for (int64_t c = 0; c < P; c += kLanes<T>) {
      const Vector<T> s = load(student + c), o = load(other + c);
      const Vector<T> gap = close ? s + o : s - o;
      const Vector<T> rounding =
          load(roots + panel_ * P + c) * roundings[j] + load(roundings + panel_ * P + c) * roots[j];
      // Products of vectors that share no channel are 0 without rounding.
      const Integers<T> doubtful = (magnitude(gap) <= rounding) & ((s != T(0)) | (o != T(0)));
      in_doubt |= doubtful;
      store(out + c, choose<T>(doubtful, Vector<T>{}, gap));
      sums.student += magnitude(s) * (load(roots + panel_ * P + c) * roots[j]);
    }
    if constexpr (SignScratch<T>::kInDoubt) {
      if (any<T>(in_doubt)) compute_exactly(j, out);
    }
    for (int64_t c = 0; c < P; c += kLanes<T>) {
      const Vector<T> gap = load(out + c), weight = load(roots + panel_ * P + c) * roots[j];
      sums.gaps += magnitude(gap) * weight;
      const Vector<T> rest = gap * weight;  // 0 or NaN, which shows
      store(out + c, choose<T>(gap > T(0), weight, choose<T>(gap < T(0), -weight, rest)));
    }
  }

 private:
  static constexpr int64_t P = kColumns<T>;

  static inline Vector<T> magnitude(Vector<T> x) { return choose<T>(x < T(0), -x, x); }

  // The unit vectors of a panel, in f64.
  inline void fill(int64_t panel, double* unit) const {
    const NodeGroup& group = nodes_.group;
    const int64_t image = nodes_.image(panel), n0 = nodes_.first(panel),
                  count = nodes_.count(panel);
    memset(unit, 0, size_t(scratch_.panel_elements()) * sizeof(double));
    for (int64_t c = 0; c < scratch_.Cs; ++c) {
      load_student(group, image, c, n0, count, unit + c * P);
    }
    for (int64_t c = 0; c < scratch_.Ct; ++c) {
      load_teacher(group, image, c, n0, count, unit + (scratch_.Cs + c) * P);
    }
  }

  // Row j from f64 products, ties as 0. Rows in doubt lie together, or are few: a panel of them is
  // widened at a time.
  __attribute__((noinline)) void compute_exactly(int64_t j, T* out) {
    if (filled_ < 0) fill(panel_, own_);
    if (filled_ != j / P) fill(j / P, others_);
    filled_ = j / P;
    double student[P] = {}, teacher[P] = {};
    const double* other = others_ + j % P;
    for (int64_t c = 0; c < scratch_.Cs; ++c) {
      for (int64_t i = 0; i < P; ++i) student[i] += own_[c * P + i] * other[c * P];
    }
    for (int64_t c = scratch_.Cs; c < scratch_.Cs + scratch_.Ct; ++c) {
      for (int64_t i = 0; i < P; ++i) teacher[i] += own_[c * P + i] * other[c * P];
    }
    for (int64_t i = 0; i < P; ++i) {
      const double gap = student[i] - teacher[i];
      const double tie = kTie * double(scratch_.roots[panel_ * P + i]) * double(scratch_.roots[j]);
      out[i] = gap >= -tie && gap <= tie ? T(0) : T(gap);
    }
  }

  const NodePanelsOf<T>& nodes_;
  const SignScratch<T>& scratch_;
  int64_t panel_, filled_ = -1;  // the panel that others_ holds
  double *own_, *others_;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_GAPS_H
