// src/test/cpp/inter_class_similarity_cases.h: parameters for tests of the inter-class similarity
// loss.
#ifndef STRUCTKD_TEST_INTER_CLASS_SIMILARITY_CASES_H
#define STRUCTKD_TEST_INTER_CLASS_SIMILARITY_CASES_H

#include "tensors.h"

namespace structkd::test {

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
