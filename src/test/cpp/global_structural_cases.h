// src/test/cpp/global_structural_cases.h: parameters and sampled pixels for tests of the global
// structural loss.
#ifndef STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H
#define STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H

#include <cmath>

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_global_structural_params> {
  static constexpr LossEntries<structkd_global_structural_params> entries{
      structkd_global_structural_workspace, structkd_global_structural};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_global_structural_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

// How much more than usual rounding counts for inputs of this kind.
inline double conditioning_of(Input input) { return input == Input::kNearlyEqual ? 2000.0 : 1.0; }

// Of all tests that set no other.
inline const int64_t* default_step() {
  static const Scalar<int64_t> step(3);
  return step.get();
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

inline structkd_global_structural_params params_of(int64_t group_width = -1,
                                                   const Sampled* sampled = nullptr) {
  structkd_global_structural_params params{};
  params.struct_size = sizeof(params);
  params.normalize = 1;
  params.group_width = group_width;
  params.temperature = 1.0;
  params.eps = 1e-8;
  params.classes = 3;
  params.seed = 42;
  params.step = default_step();
  if (sampled != nullptr) {
    params.indices = sampled->indices.view();
    params.counts = sampled->counts.view();
  }
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_GLOBAL_STRUCTURAL_CASES_H
