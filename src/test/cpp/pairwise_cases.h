// src/test/cpp/pairwise_cases.h: parameters for tests of the pair-wise loss.
#ifndef STRUCTKD_TEST_PAIRWISE_CASES_H
#define STRUCTKD_TEST_PAIRWISE_CASES_H

#include "tensors.h"

namespace structkd::test {

inline structkd_pairwise_params params_of(
    structkd_norm_gradient norm = STRUCTKD_NORM_DIFFERENTIABLE) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.norm = norm;
  params.eps_mode = norm == STRUCTKD_NORM_DETACHED ? STRUCTKD_EPS_ADD : STRUCTKD_EPS_MAX;
  params.eps = 1e-8;
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_PAIRWISE_CASES_H
