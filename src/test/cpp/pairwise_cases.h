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

// The teacher is the student turned by an angle in planes of two channels, plus noise. Turned alone
// it would have equal affinities however large the difference of features is.
void fill_turned(double angle, uint64_t seed, TestTensor& student, TestTensor& teacher);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_PAIRWISE_CASES_H
