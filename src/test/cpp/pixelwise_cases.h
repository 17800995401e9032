// src/test/cpp/pixelwise_cases.h: parameters for tests of the pixel-wise loss.
#ifndef STRUCTKD_TEST_PIXELWISE_CASES_H
#define STRUCTKD_TEST_PIXELWISE_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_pixelwise_params> {
  static constexpr LossEntries<structkd_pixelwise_params> entries{structkd_pixelwise_workspace,
                                                                  structkd_pixelwise};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_pixelwise_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline structkd_pixelwise_params params_of(
    structkd_divergence divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT,
    structkd_divisor divisor = STRUCTKD_DIVISOR_PIXELS) {
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.divergence = divergence;
  params.divisor = divisor;
  params.temperature = 1.0;
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_PIXELWISE_CASES_H
