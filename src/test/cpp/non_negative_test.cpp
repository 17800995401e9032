// src/test/cpp/non_negative_test.cpp: no loss is below 0 where student and teacher agree up to
// rounding, on any backend: there the terms of a divergence cancel, and nothing but their rounding
// is left.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "loss_run.h"
#include "tensors.h"

namespace structkd::test {
namespace {

using Loss = std::function<Outcome(const TestTensor& student, const TestTensor& teacher)>;

// Teachers that are the student up to a factor (equal cosines), an offset (equal softmax) or noise.
void expect_at_least_0(double factor_grain, double offset_grain, const Loss& loss) {
  for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32}) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      for (double noise : {0.0, 1e-16, 1e-12, 1e-8, 1e-5}) {
        TestTensor student({2, 5, 3, 7}, dtype), teacher({2, 5, 3, 7}, dtype);
        student.fill([&](int64_t i) { return gaussian(seed, uint64_t(i)); });
        teacher.fill([&](int64_t i) {
          return (1 + factor_grain * double(seed)) * student.get(i) + offset_grain * double(seed) +
                 noise * gaussian(seed + 100, uint64_t(i));
        });
        const Outcome outcome = loss(student, teacher);
        EXPECT_GE(outcome.loss, 0.0)
            << describe(student) << " seed " << seed << " noise " << noise << " " << outcome.plan;
      }
    }
  }
}

class NonNegativeOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(NonNegativeOnBackend, Pixelwise) {
  for (int divergence = 0; divergence < 3; ++divergence) {
    structkd_pixelwise_params params{};
    params.struct_size = sizeof(params);
    params.divergence = static_cast<structkd_divergence>(divergence);
    params.temperature = 1.0;
    expect_at_least_0(0.0, 0.37, [&](const TestTensor& s, const TestTensor& t) {
      return run_loss(GetParam(), s, t, params);
    });
  }
}

TEST_P(NonNegativeOnBackend, Pairwise) {
  for (int norm : {0, 1}) {
    structkd_pairwise_params params{};
    params.struct_size = sizeof(params);
    params.norm = static_cast<structkd_norm_gradient>(norm);
    params.eps = 1e-12;
    expect_at_least_0(0.37, 0.0, [&](const TestTensor& s, const TestTensor& t) {
      return run_loss(GetParam(), s, t, params);
    });
  }
}

TEST_P(NonNegativeOnBackend, InterClassSimilarity) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  expect_at_least_0(0.0, 0.37, [&](const TestTensor& s, const TestTensor& t) {
    return run_loss(GetParam(), s, t, params);
  });
}

TEST_P(NonNegativeOnBackend, GlobalStructural) {
  const Scalar<int64_t> step(3);
  for (int64_t width : {-1, 0, 4, 21}) {
    structkd_global_structural_params params{};
    params.struct_size = sizeof(params);
    params.normalize = 1;
    params.group_width = width;
    params.temperature = 1.0;
    params.eps = 1e-12;
    params.classes = 3;
    params.step = step.get();
    expect_at_least_0(0.37, 0.0, [&](const TestTensor& s, const TestTensor& t) {
      return run_loss(GetParam(), s, t, params);
    });
  }
}

std::vector<std::string> backends_and_reference() {
  std::vector<std::string> backends = backends_under_test();
  backends.insert(backends.begin(), "reference");
  return backends;
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         NonNegativeOnBackend,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
