// core/pairwise_forms.h: what the pair-wise loss makes of a gap, and when it may be computed from the
// differences of features, and when from norms of C x C matrices. The same answer on every backend;
// figures: docs/methods/pairwise.md. Shared with CUDA sources.
#ifndef STRUCTKD_CORE_PAIRWISE_FORMS_H
#define STRUCTKD_CORE_PAIRWISE_FORMS_H

#include <math.h>

#include "core/host_device.h"
#include "structkd/pairwise.h"

namespace structkd {

// Sums over the pairs of a group, or over a part of them.
struct PairSums {
  double gaps;     // w_i w_j (A_S - A_T)^2, or of absolute values
  double student;  // the same of A_S alone
  double terms;    // where it is asked: what gaps were before a second term of either sign came
};

namespace {  // internal linkage: per-ISA sources may not share inline copies

// Largest gap that is a tie. Affinities of two floats, the least exact that decide on signs, are
// rounded by some 2^-46, and sums of C of them, in any order, by sqrt(C) times as much: backends
// agree on the sign of what is larger.
constexpr double kTie = 0x1p-38;

// From the sum over the pairs of one of `groups` groups of this weight to its share of the loss.
// Where nothing weighs, value and gradient are 0.
STRUCTKD_HOST_DEVICE inline double share_of_loss(structkd_reduction reduction,
                                                 double weight,
                                                 double groups) {
  if (reduction == STRUCTKD_REDUCTION_SUM) return 1.0;
  const double squared = weight * weight;
  return squared == 0.0 ? 0.0 : 1.0 / (squared * groups);
}

// The derivative of the sum by s_i is this times sum_j w_i w_j gap_ij s_j, or the sign of the gap.
// Node i is in the pairs (i,j) and (j,i), and a square brings another 2.
STRUCTKD_HOST_DEVICE inline double derivative_factor(structkd_compare compare) {
  return compare == STRUCTKD_COMPARE_L1 ? 2.0 : 4.0;
}

// The norm of A_S over that of the gaps, from their sums.
STRUCTKD_HOST_DEVICE inline double condition_number(structkd_compare compare,
                                                    const PairSums& sums) {
  if (sums.student == 0.0) return 0.0;
  const double ratio = sums.student / sums.gaps;
  return compare == STRUCTKD_COMPARE_L1 ? ratio : sqrt(ratio);
}

// Student and teacher point the same way in the same channels, up to an angle whose chord is 1/2 on
// average. Above it the differences are no smaller than the vectors, and the difference form gains
// nothing. `gap`: the weighted sum of |s - t|^2 of unit vectors.
STRUCTKD_HOST_DEVICE inline bool are_close(double gap, double weight) {
  return gap < 0.25 * weight;
}

// The difference form may lose half of its first term: f32 products then err by 4 * 2^-24 at most,
// what the accuracy rule allows a loss that its composition gets right to the last bit.
constexpr double kMostTerms = 2.0;

// Of sums and differences rounded to bf16 or TF32 it may lose 15/16, by which the rounding of the
// gradient grows to four times what it is where nothing cancels, 3e-3 or 4e-4 of it: less than a
// hundredth of what affinities rounded alike leave of so small a loss.
constexpr double kMostRoundedTerms = 16.0;

// Of unit vectors that are rounded to TF32 themselves, affinities err by some 2^-11 of their norm, and
// so the gaps, and the gradient, by 2^-11 sqrt(terms / gaps), where terms are the squares of the
// affinities of student and of teacher: at 32 by 2.8e-3, which was the most that a prototype erred by
// (docs/methods/pairwise.md). Up to 64 it erred by more than the 5e-3 that FAST promises.
constexpr double kMostRoundedNorms = 32.0;

// Whether gaps have lost too much of their terms; also true of NaN.
STRUCTKD_HOST_DEVICE inline bool terms_cancel(const PairSums& sums, double most = kMostTerms) {
  return !(sums.terms <= most * sums.gaps);
}

// Largest kappa^2 = student / gaps up to which f64 inputs are left to the plain form. Its three
// norms cancel to 1/kappa^2 of themselves, so that some 2^-53 kappa^2 of the value are rounding,
// where a composition that subtracts affinities has 2^-53 kappa. 2^16: 7e-12 of the value at most.
// Narrower inputs are rounded by 2^-24 kappa themselves, more than 2^-53 kappa^2 for any kappa that
// they can have.
constexpr double kMostNorms = 0x1p16;

// Whether the norms of the plain form lost too much; also true of NaN, and where nothing but
// rounding is left.
STRUCTKD_HOST_DEVICE inline bool norms_cancel(const PairSums& sums) {
  return !(sums.student <= kMostNorms * sums.gaps);
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_PAIRWISE_FORMS_H
