// src/test/cpp/cross_image_relation_cases.h: parameters for tests of the cross-image relation loss.
#ifndef STRUCTKD_TEST_CROSS_IMAGE_RELATION_CASES_H
#define STRUCTKD_TEST_CROSS_IMAGE_RELATION_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_cross_image_relation_params> {
  static constexpr LossEntries<structkd_cross_image_relation_params> entries{
      structkd_cross_image_relation_workspace, structkd_cross_image_relation};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_cross_image_relation_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline structkd_cross_image_relation_params relation_params_of(double temperature = 0.1) {
  structkd_cross_image_relation_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  params.eps = 1e-12;
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_CROSS_IMAGE_RELATION_CASES_H
