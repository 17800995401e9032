// src/test/cpp/pairwise_cases.h: parameters for tests of the pair-wise loss.
#ifndef STRUCTKD_TEST_PAIRWISE_CASES_H
#define STRUCTKD_TEST_PAIRWISE_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_pairwise_params> {
  static constexpr LossEntries<structkd_pairwise_params> entries{structkd_pairwise_workspace,
                                                                 structkd_pairwise};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_pairwise_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline structkd_pairwise_params params_of(
    structkd_norm_gradient norm = STRUCTKD_NORM_DIFFERENTIABLE) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.norm = norm;
  params.eps_mode = norm == STRUCTKD_NORM_DETACHED ? STRUCTKD_EPS_ADD : STRUCTKD_EPS_MAX;
  params.eps = 1e-8;
  return params;
}

inline structkd_pairwise_params fast_params(
    structkd_norm_gradient norm = STRUCTKD_NORM_DIFFERENTIABLE) {
  structkd_pairwise_params params = params_of(norm);
  params.precision = STRUCTKD_PRECISION_FAST;
  return params;
}

// A call with FAST that also measures kappa; its gradient is f32.
struct FastOutcome : Outcome {
  double kappa;
};
FastOutcome compute_fast(const std::string& backend,
                         const TestTensor& student,
                         const TestTensor& teacher);

// Of three images with FAST the differences or norms of the first one cancel; the last one gets nodes
// without weight, of which one holds NaN in the student. Expects each image to be right, the first one
// as an exact form is and the others within a bound, as is the loss, and equal bits again. Returns a
// call's outcome.
Outcome expect_right_images(const std::string& backend,
                            TestTensor& student,
                            const TestTensor& teacher,
                            double loss_bound,
                            double bound);

// The teacher is the student turned by an angle in planes of two channels, plus noise. Turned alone
// it would have equal affinities however large the difference of features is.
void fill_turned(double angle, uint64_t seed, TestTensor& student, TestTensor& teacher);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_PAIRWISE_CASES_H
