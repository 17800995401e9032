// src/test/cpp/pairwise_signs_test.cpp: the pair-wise loss of absolute values, whose gradient is
// made of signs.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

class PairwiseSignsOnBackend : public testing::TestWithParam<std::string> {};

structkd_pairwise_params signs(structkd_norm_gradient norm = STRUCTKD_NORM_DIFFERENTIABLE) {
  structkd_pairwise_params params = params_of(norm);
  params.compare = STRUCTKD_COMPARE_L1;
  params.eps_mode = STRUCTKD_EPS_MAX;  // what 1e-8 changes in an affinity is near a tie
  return params;
}

TEST_P(PairwiseSignsOnBackend, MatchesReferenceOnOddShapes) {
  // Cs, Ct, H, W: N around the 64 nodes of f64 products, around 2 C, where gaps are no longer kept,
  // around Cs + Ct and around tiles; several tiles of channels; few channels, whose gaps are close.
  const int64_t shapes[][4] = {{3, 3, 13, 17},   {2, 5, 13, 11},  {33, 33, 1, 65}, {33, 33, 1, 66},
                               {33, 33, 1, 67},  {33, 33, 1, 64}, {90, 70, 1, 97}, {19, 40, 16, 17},
                               {70, 70, 1, 150}, {130, 20, 9, 19}};
  for (const auto& n : shapes) {
    for (Input input : kInputs) {
      if (input == Input::kNearlyEqual && n[0] != n[1]) continue;
      for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_BF16}) {
        TestTensor student({2, n[0], n[2], n[3]}, dtype), teacher({2, n[1], n[2], n[3]}, dtype);
        fill_pair(input, 11, student, teacher);
        const auto norm =
            dtype == STRUCTKD_F32 ? STRUCTKD_NORM_DETACHED : STRUCTKD_NORM_DIFFERENTIABLE;
        expect_equal_to_reference(GetParam(), student, teacher, signs(norm));
      }
    }
  }
}

TEST_P(PairwiseSignsOnBackend, SumsAbsoluteGapsOfAllOrderedPairs) {
  // Unit vectors in the plane: A[0,1] is cos 60 = 1/2 of the student, cos 90 = 0 of the teacher.
  TestTensor student({1, 2, 1, 2}, STRUCTKD_F64), teacher({1, 2, 1, 2}, STRUCTKD_F64);
  const double s[] = {1, 0.5, 0, std::sqrt(0.75)}, t[] = {2, 0, 0, 3};
  student.fill([&](int64_t i) { return s[i]; });
  teacher.fill([&](int64_t i) { return t[i]; });
  structkd_pairwise_params params = signs();
  const Outcome mean = compute(GetParam(), student, teacher, params);
  EXPECT_NEAR(0.25, mean.loss, 1e-15);  // two of four pairs differ, by 1/2
  // d A[0,1] / d s_0 is s_1 without its part along s_0; the pair counts twice.
  EXPECT_NEAR(0.0, mean.grad[0], 1e-15);
  EXPECT_NEAR(2 * std::sqrt(0.75) / 4, mean.grad[2], 1e-15);
  params.reduction = STRUCTKD_REDUCTION_SUM;
  const Outcome sum = compute(GetParam(), student, teacher, params);
  EXPECT_NEAR(1.0, sum.loss, 1e-15);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(4 * mean.grad[i], sum.grad[i], 1e-14);
}

TEST_P(PairwiseSignsOnBackend, GradientIsTheDerivative) {
  for (const auto& [channels, nodes] : {std::pair{5, 15}, {30, 15}, {3, 90}}) {
    TestTensor student({2, channels, 1, nodes}, STRUCTKD_F64);
    TestTensor teacher({2, 6, 1, nodes}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 21, student, teacher);
    const structkd_pairwise_params params = signs();
    const std::vector<double> grad = compute(GetParam(), student, teacher, params).grad;
    const std::vector<double> start = student.values();
    std::vector<double> direction(grad.size());
    for (size_t i = 0; i < grad.size(); ++i) direction[i] = gaussian(77, i);
    // A step so small that no gap passes 0; between kinks the value is smooth.
    const double slope = central_difference(
        [&](double step) {
          student.fill([&](int64_t i) { return start[size_t(i)] + step * direction[size_t(i)]; });
          return compute("reference", student, teacher, params).loss;
        },
        1e-7);
    const double expected = dot(grad, direction);
    EXPECT_NEAR(slope, expected, 1e-6 * std::abs(expected)) << channels << " channels";
  }
}

// Rounding has a sign, too, which must not count: as in flat parts of an image.
TEST_P(PairwiseSignsOnBackend, TiesHaveNoGradient) {
  for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
    for (int64_t nodes : {40, 200}) {
      TestTensor student({1, 7, 1, nodes}, dtype), teacher({1, 7, 1, nodes}, dtype);
      // Multiples of one vector for each network: by powers of two, which are exact in f32, too.
      const auto multiple = [&](uint64_t seed, int64_t powers, int64_t i) {
        const double channel = std::round(8 * gaussian(seed, uint64_t(i / nodes)));
        return std::ldexp(channel, int(i % nodes % powers));
      };
      student.fill([&](int64_t i) { return multiple(1, 5, i); });
      teacher.fill([&](int64_t i) { return multiple(2, 3, i); });
      structkd_pairwise_params params = signs(STRUCTKD_NORM_DETACHED);
      params.eps_mode = STRUCTKD_EPS_MAX;
      const Outcome outcome = compute(GetParam(), student, teacher, params);
      EXPECT_LE(outcome.loss, 1e-6);
      for (double g : outcome.grad) EXPECT_EQ(0.0, g) << outcome.plan;
    }
  }
}

TEST_P(PairwiseSignsOnBackend, ConditionNumberIsTheRatioOfTheSums) {
  for (int64_t nodes : {9, 80}) {
    TestTensor student({1, 8, 1, nodes}, STRUCTKD_F32), teacher({1, 8, 1, nodes}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 4, student, teacher);
    structkd_pairwise_params params = signs();
    double kappas[2];
    for (int which : {0, 1}) {
      const std::string backend = which == 0 ? "reference" : GetParam();
      Scalar<double> kappa(-1.0);
      params.kappa = kappa.get();
      compute(backend, student, teacher, params);
      kappas[which] = *kappa.get();
    }
    EXPECT_NEAR(kappas[0], kappas[1], 1e-9 * kappas[0]);
    EXPECT_GT(kappas[0], 0.5);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseSignsOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
