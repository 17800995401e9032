// core/pairwise_forms.h: when the pair-wise loss may be computed from the differences of features,
// and when from norms of C x C matrices. The same answer on every backend; figures:
// docs/methods/pairwise.md. Shared with CUDA sources.
#ifndef STRUCTKD_CORE_PAIRWISE_FORMS_H
#define STRUCTKD_CORE_PAIRWISE_FORMS_H

#include "core/host_device.h"

namespace structkd {

// Sums over the pairs of a group, or over a part of them.
struct PairSums {
  double gaps;     // w_i w_j (A_S - A_T)^2
  double student;  // w_i w_j A_S^2
  double terms;    // difference form: what gaps were before a second term of either sign was added
};

namespace {  // internal linkage: per-ISA sources may not share inline copies

// Student and teacher point the same way in the same channels, up to an angle whose chord is 1/2 on
// average. Above it the differences are no smaller than the vectors, and the difference form gains
// nothing. `gap`: the weighted sum of |s - t|^2 of unit vectors.
STRUCTKD_HOST_DEVICE inline bool are_close(double gap, double weight) {
  return gap < 0.25 * weight;
}

// The difference form may lose half of its first term: f32 products then err by 4 * 2^-24 at most,
// what the accuracy rule allows a loss that its composition gets right to the last bit.
constexpr double kMostTerms = 2.0;

// Whether the difference form lost too much; also true of NaN.
STRUCTKD_HOST_DEVICE inline bool differences_cancel(const PairSums& sums) {
  return !(sums.terms <= kMostTerms * sums.gaps);
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
