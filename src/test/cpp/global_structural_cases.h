// src/test/cpp/global_structural_cases.h: parameters and sampled pixels for tests of the global
// structural loss.
#ifndef STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H
#define STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H

#include <cmath>

#include "tensors.h"

namespace structkd::test {

// Of all tests that set no other.
inline const int64_t* default_step() {
  static const Scalar<int64_t> step(3);
  return step.get();
}

inline structkd_global_structural_params params_of(int64_t group_width = -1) {
  structkd_global_structural_params params{};
  params.struct_size = sizeof(params);
  params.normalize = 1;
  params.group_width = group_width;
  params.temperature = 1.0;
  params.eps = 1e-8;
  params.classes = 3;
  params.seed = 42;
  params.step = default_step();
  return params;
}

// Indices and counts of a batch, drawn by position: pixels repeat.
struct Sampled {
  TestTensor indices, counts;
  Sampled(int64_t B, int64_t M, int64_t pixels, Layout layout = Layout::kContiguous)
      : indices({B, M}, STRUCTKD_I32, layout), counts({B, 2}, STRUCTKD_I32, layout) {
    indices.fill([&](int64_t i) { return std::floor(uniform(5, uint64_t(i)) * double(pixels)); });
    counts.fill([&](int64_t i) { return i % 2 == 0 ? double(M) : 3.0; });
  }
};

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H
