// src/test/cpp/inter_class_similarity_cases.h: parameters for tests of the inter-class similarity
// loss.
#ifndef STRUCTKD_TEST_INTER_CLASS_SIMILARITY_CASES_H
#define STRUCTKD_TEST_INTER_CLASS_SIMILARITY_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_inter_class_similarity_params> {
  static constexpr LossEntries<structkd_inter_class_similarity_params> entries{
      structkd_inter_class_similarity_workspace, structkd_inter_class_similarity};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_inter_class_similarity_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline structkd_inter_class_similarity_params params_of(double temperature = 1.0,
                                                        bool row_normalize = false) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  params.row_normalize = row_normalize;
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_INTER_CLASS_SIMILARITY_CASES_H
