// src/test/cpp/intra_class_variation_cases.h: parameters for tests of the intra-class variation
// loss.
#ifndef STRUCTKD_TEST_INTRA_CLASS_VARIATION_CASES_H
#define STRUCTKD_TEST_INTRA_CLASS_VARIATION_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_intra_class_variation_params> {
  static constexpr LossEntries<structkd_intra_class_variation_params> entries{
      structkd_intra_class_variation_workspace, structkd_intra_class_variation};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_intra_class_variation_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

// The labels must outlive the params.
inline structkd_intra_class_variation_params variation_params(const TestTensor& labels,
                                                              int64_t num_classes = 3) {
  structkd_intra_class_variation_params params{};
  params.struct_size = sizeof(params);
  params.num_classes = num_classes;
  params.labels = labels.view();
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_INTRA_CLASS_VARIATION_CASES_H
