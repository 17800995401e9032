// src/test/cpp/pairwise_test.cpp: the pair-wise loss on every backend against the f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "loss_run.h"
#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

Outcome compute(const std::string& backend,
                const TestTensor& student,
                const TestTensor& teacher,
                const structkd_pairwise_params& params,
                bool want_grad = true,
                int threads = 2,
                Layout grad_layout = Layout::kContiguous,
                bool f32_grad = false) {
  return run_loss(backend, student, teacher, params, {want_grad, threads, grad_layout, f32_grad});
}

class PairwiseOnBackend : public testing::TestWithParam<std::string> {};

void expect_equal_to_reference(const std::string& backend,
                               const TestTensor& student,
                               const TestTensor& teacher,
                               const structkd_pairwise_params& params) {
  SCOPED_TRACE(describe(student) + " and " + describe(teacher));
  const Outcome truth = compute("reference", student, teacher, params, true, 1, Layout::kContiguous,
                                student.view()->dtype != STRUCTKD_F64);
  const Outcome outcome = compute(backend, student, teacher, params, true, 2, Layout::kContiguous,
                                  student.view()->dtype != STRUCTKD_F64);
  SCOPED_TRACE(outcome.plan);
  // f64 inputs: f64 throughout, but the plain Gram form loses kappa^2 of it. f32 inputs: products
  // in f64, or of differences in f32. Tile by tile in f32, affinities round like those of a
  // composition.
  const bool plain_f32 = outcome.plan.find("tile, f32") != std::string::npos;
  const double tolerance =
      student.view()->dtype == STRUCTKD_F64 ? 1e-9 : (plain_f32 ? 16 : 4) * 0x1p-24;
  EXPECT_NEAR(outcome.loss, truth.loss, tolerance * std::abs(truth.loss) + 1e-16);
  // A map of one node has loss 0: both sides hold nothing but the rounding of f64 there.
  if (truth.loss < 1e-16) return;
  EXPECT_LE(relative_error(outcome.grad, truth.grad), 2 * tolerance);
}

TEST_P(PairwiseOnBackend, MatchesReferenceOnOddShapes) {
  // Cs, Ct, H, W: one node, one channel, primes, panel widths (4, 8, 16, 32) +- 1, and N around the
  // break-even points 2 C and 4 C of the forms and the 64 nodes from which f32 products pay.
  const int64_t shapes[][4] = {
      {1, 1, 1, 1},     {1, 3, 1, 7},     {5, 5, 1, 1},     {7, 7, 3, 5},     {3, 3, 33, 31},
      {2, 5, 13, 11},   {15, 17, 5, 3},   {16, 16, 4, 4},   {17, 17, 17, 1},  {33, 31, 8, 4},
      {16, 16, 1, 32},  {16, 16, 1, 33},  {33, 33, 1, 64},  {33, 33, 1, 65},  {33, 33, 1, 66},
      {33, 33, 1, 67},  {33, 33, 1, 131}, {33, 33, 1, 132}, {33, 33, 1, 133}, {90, 70, 1, 97},
      {19, 40, 16, 17}, {64, 64, 9, 15}};
  for (const auto& n : shapes) {
    for (Input input : kInputs) {
      if (input == Input::kNearlyEqual && n[0] != n[1]) continue;
      TestTensor student({2, n[0], n[2], n[3]}, STRUCTKD_F32);
      TestTensor teacher({2, n[1], n[2], n[3]}, STRUCTKD_F32);
      fill_pair(input, 11, student, teacher);
      for (auto norm : {STRUCTKD_NORM_DETACHED, STRUCTKD_NORM_DIFFERENTIABLE}) {
        expect_equal_to_reference(GetParam(), student, teacher, params_of(norm));
      }
    }
  }
}

TEST_P(PairwiseOnBackend, MatchesReferenceForEveryDtypeAndLayout) {
  for (structkd_dtype dtype : kFloatingDtypes) {
    for (Layout layout : kLayouts) {
      for (Input input : kInputs) {
        TestTensor student({3, 12, 7, 9}, dtype, layout), teacher({3, 12, 7, 9}, dtype, layout);
        fill_pair(input, 5, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, params_of());
      }
    }
  }
}

// The teacher is the student turned by an angle in planes of two channels, plus noise. Turned alone
// it would have equal affinities however large the difference of features is.
void fill_turned(double angle, uint64_t seed, TestTensor& student, TestTensor& teacher) {
  const int64_t positions = student.view()->sizes[2] * student.view()->sizes[3];
  student.fill([&](int64_t i) { return gaussian(seed, uint64_t(i)); });
  teacher.fill([&](int64_t i) {
    const bool first = i / positions % 2 == 0;
    const double other = student.get(first ? i + positions : i - positions);
    return std::cos(angle) * student.get(i) + (first ? -1.0 : 1.0) * std::sin(angle) * other +
           1e-3 * gaussian(seed + 1000003, uint64_t(i));
  });
}

TEST_P(PairwiseOnBackend, MatchesReferenceForTurnedFeatures) {
  for (double angle : {0.1, 0.45, 1.0}) {  // only the last is too far for differences
    for (int64_t channels : {16, 66}) {    // enough nodes for matrices
      TestTensor student({1, channels, 1, 4 * channels + 5}, STRUCTKD_F32);
      TestTensor teacher({1, channels, 1, 4 * channels + 5}, STRUCTKD_F32);
      fill_turned(angle, 19, student, teacher);
      structkd_pairwise_params params = params_of();
      expect_equal_to_reference(GetParam(), student, teacher, params);
      const Outcome truth = compute("reference", student, teacher, params);
      params.precision = STRUCTKD_PRECISION_FAST;
      const Outcome fast = compute(GetParam(), student, teacher, params);
      EXPECT_LE(relative_error(fast.grad, truth.grad), 5e-3) << fast.plan << ", " << angle;
    }
  }
}

TEST_P(PairwiseOnBackend, MatchesReferenceAroundTileEdges) {
  // Cs, Ct, H, W: channels and nodes around tiles of 64 and 128 and around N = Cs + Ct, where forms
  // change; 250 channels fill two tiles of 128 better than four of 64.
  const int64_t shapes[][4] = {{63, 64, 1, 128}, {64, 65, 1, 127},  {65, 65, 11, 13},
                               {65, 65, 1, 64},  {129, 129, 1, 65}, {33, 33, 1, 65},
                               {33, 33, 6, 11},  {33, 33, 1, 67},   {129, 129, 7, 41},
                               {130, 20, 9, 19}, {10, 129, 1, 129}, {250, 250, 1, 505}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F16}) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
        const Input input = layout == Layout::kContiguous || n[0] != n[1] ? Input::kReluSparse
                                                                          : Input::kNearlyEqual;
        TestTensor student({1, n[0], n[2], n[3]}, dtype, layout);
        TestTensor teacher({1, n[1], n[2], n[3]}, dtype, layout);
        fill_pair(input, 17, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, params_of());
      }
    }
  }
}

TEST_P(PairwiseOnBackend, MatchesReferenceForWholeBatchAndWeights) {
  for (auto pairs : {STRUCTKD_PAIRS_PER_IMAGE, STRUCTKD_PAIRS_WHOLE_BATCH}) {
    for (int64_t channels : {3, 40}) {  // Gram form, tile form
      TestTensor student({3, channels, 3, 7}, STRUCTKD_F64), teacher({3, 5, 3, 7}, STRUCTKD_F64);
      fill_pair(Input::kReluSparse, 3, student, teacher);
      TestTensor weights({3, 3, 7}, STRUCTKD_F32, Layout::kSliced);
      weights.fill([](int64_t i) { return i % 3 == 0 ? 0.0 : uniform(9, uint64_t(i)); });
      structkd_pairwise_params params = params_of();
      params.pairs = pairs;
      params.weights = weights.view();
      expect_equal_to_reference(GetParam(), student, teacher, params);
    }
  }
}

TEST_P(PairwiseOnBackend, WholeBatchEqualsOneLongImage) {
  TestTensor batch_s({2, 6, 5, 4}, STRUCTKD_F64), batch_t({2, 6, 5, 4}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 1, batch_s, batch_t);
  TestTensor long_s({1, 6, 1, 40}, STRUCTKD_F64), long_t({1, 6, 1, 40}, STRUCTKD_F64);
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t c = 0; c < 6; ++c) {
      for (int64_t n = 0; n < 20; ++n) {
        long_s.set(c * 40 + b * 20 + n, batch_s.get((b * 6 + c) * 20 + n));
        long_t.set(c * 40 + b * 20 + n, batch_t.get((b * 6 + c) * 20 + n));
      }
    }
  }
  structkd_pairwise_params params = params_of();
  const double one_image = compute(GetParam(), long_s, long_t, params).loss;
  params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
  EXPECT_NEAR(compute(GetParam(), batch_s, batch_t, params).loss, one_image, 1e-13);
}

TEST_P(PairwiseOnBackend, GradientMatchesFiniteDifferences) {
  for (auto norm : {STRUCTKD_NORM_DIFFERENTIABLE, STRUCTKD_NORM_DETACHED}) {
    for (int64_t channels : {4, 30}) {  // Gram form, tile form
      TestTensor student({2, channels, 3, 5}, STRUCTKD_F64), teacher({2, 6, 3, 5}, STRUCTKD_F64);
      fill_pair(Input::kRandom, 21, student, teacher);
      structkd_pairwise_params params = params_of(norm);
      params.eps = 0.5;  // large enough to show in the derivative of f / (|f| + eps)
      params.eps_mode = STRUCTKD_EPS_ADD;
      if (norm == STRUCTKD_NORM_DETACHED) {
        // A constant length has no finite difference; unit vectors that move along the sphere have
        // one.
        params.eps = 1e-12;
      }
      const std::vector<double> grad = compute(GetParam(), student, teacher, params).grad;
      for (uint64_t trial = 0; trial < 3; ++trial) {
        // Along a random direction: one relative error for the whole gradient.
        std::vector<double> direction(grad.size());
        for (size_t i = 0; i < grad.size(); ++i) direction[i] = gaussian(77 + trial, i);
        if (norm == STRUCTKD_NORM_DETACHED) {
          const int64_t N = 15;
          for (int64_t b = 0; b < 2; ++b) {
            for (int64_t n = 0; n < N; ++n) {
              double along = 0.0, squares = 0.0;
              for (int64_t c = 0; c < channels; ++c) {
                const int64_t i = (b * channels + c) * N + n;
                along += direction[size_t(i)] * student.get(i);
                squares += student.get(i) * student.get(i);
              }
              for (int64_t c = 0; c < channels; ++c) {
                const int64_t i = (b * channels + c) * N + n;
                direction[size_t(i)] -= along / squares * student.get(i);
              }
            }
          }
        }
        const double slope = central_difference([&](double step) {
          TestTensor moved({2, channels, 3, 5}, STRUCTKD_F64);
          moved.fill([&](int64_t i) { return student.get(i) + step * direction[size_t(i)]; });
          return compute(GetParam(), moved, teacher, params, false).loss;
        });
        const double expected = dot(grad, direction);
        EXPECT_NEAR(slope, expected, 1e-6 * std::abs(expected)) << "channels " << channels;
      }
    }
  }
}

TEST_P(PairwiseOnBackend, EqualStudentAndTeacherGiveZero) {
  for (structkd_dtype dtype : kFloatingDtypes) {
    TestTensor student({2, 8, 6, 5}, dtype), teacher({2, 8, 6, 5}, dtype);
    student.fill([](int64_t i) { return gaussian(4, uint64_t(i)); });
    teacher.fill([](int64_t i) { return gaussian(4, uint64_t(i)); });
    const Outcome outcome = compute(GetParam(), student, teacher, params_of());
    EXPECT_EQ(0.0, outcome.loss) << outcome.plan;
    for (double g : outcome.grad) EXPECT_EQ(0.0, g);
  }
}

TEST_P(PairwiseOnBackend, ZeroNodesHaveZeroGradientAndCountInTheValue) {
  TestTensor student({1, 4, 1, 3}, STRUCTKD_F32), teacher({1, 4, 1, 3}, STRUCTKD_F32);
  teacher.fill(
      [](int64_t) { return 1.0; });  // all affinities of the teacher are 1, the student's 0
  const Outcome outcome = compute(GetParam(), student, teacher, params_of());
  EXPECT_NEAR(1.0, outcome.loss, 1e-6);
  for (double g : outcome.grad) EXPECT_EQ(0.0, g);
}

TEST_P(PairwiseOnBackend, WeightsThatSumToZeroGiveZero) {
  TestTensor student({2, 4, 3, 3}, STRUCTKD_F32), teacher({2, 4, 3, 3}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 8, student, teacher);
  TestTensor weights({2, 3, 3}, STRUCTKD_F32);
  structkd_pairwise_params params = params_of();
  params.weights = weights.view();
  const Outcome outcome = compute(GetParam(), student, teacher, params);
  EXPECT_EQ(0.0, outcome.loss);
  for (double g : outcome.grad) EXPECT_EQ(0.0, g);
}

TEST_P(PairwiseOnBackend, NaNShowsInTheLoss) {
  TestTensor student({1, 4, 5, 5}, STRUCTKD_F32), teacher({1, 4, 5, 5}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 8, student, teacher);
  student.set(7, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(compute(GetParam(), student, teacher, params_of()).loss));
}

TEST_P(PairwiseOnBackend, SameBitsForEveryThreadCountAndRun) {
  for (Input input : kInputs) {
    for (int64_t channels : {6, 70}) {
      TestTensor student({2, channels, 19, 3}, STRUCTKD_F32);
      TestTensor teacher({2, channels, 19, 3}, STRUCTKD_F32);
      fill_pair(input, 2, student, teacher);
      const Outcome first = compute(GetParam(), student, teacher, params_of(), true, 1);
      for (int threads : {1, 2, 3, 7}) {
        const Outcome again = compute(GetParam(), student, teacher, params_of(), true, threads);
        EXPECT_EQ(first.loss, again.loss) << threads;
        EXPECT_EQ(first.grad, again.grad) << threads;
      }
    }
  }
}

TEST_P(PairwiseOnBackend, FastModeStaysWithinItsErrorBound) {
  for (Input input : kInputs) {
    TestTensor student({1, 16, 20, 20}, STRUCTKD_F32), teacher({1, 16, 20, 20}, STRUCTKD_F32);
    fill_pair(input, 6, student, teacher);
    structkd_pairwise_params params = params_of();
    const Outcome truth = compute("reference", student, teacher, params);
    params.precision = STRUCTKD_PRECISION_FAST;
    const Outcome fast = compute(GetParam(), student, teacher, params);
    EXPECT_LE(relative_error(fast.grad, truth.grad), 5e-3) << fast.plan;
  }
}

TEST_P(PairwiseOnBackend, FastModeStaysWithinItsErrorBoundForManyChannels) {
  TestTensor student({1, 250, 1, 505}, STRUCTKD_F32), teacher({1, 250, 1, 505}, STRUCTKD_F32);
  fill_pair(Input::kNearlyEqual, 6, student, teacher);
  structkd_pairwise_params params = params_of();
  const Outcome truth = compute("reference", student, teacher, params);
  params.precision = STRUCTKD_PRECISION_FAST;
  const Outcome fast = compute(GetParam(), student, teacher, params);
  EXPECT_LE(relative_error(fast.grad, truth.grad), 5e-3) << fast.plan;
  EXPECT_NEAR(fast.loss, truth.loss, 5e-3 * truth.loss) << fast.plan;
}

TEST_P(PairwiseOnBackend, CloseImagesBesideOthersInABatch) {
  // Two images, one close to its teacher and one not: a form is chosen for each.
  TestTensor student({2, 12, 7, 9}, STRUCTKD_F32), teacher({2, 12, 7, 9}, STRUCTKD_F32);
  fill_pair(Input::kNearlyEqual, 6, student, teacher);
  for (int64_t i = teacher.elements() / 2; i < teacher.elements(); ++i) {
    teacher.set(i, gaussian(3, uint64_t(i)));
  }
  structkd_pairwise_params params = params_of();
  expect_equal_to_reference(GetParam(), student, teacher, params);
  const Outcome truth = compute("reference", student, teacher, params);
  params.precision = STRUCTKD_PRECISION_FAST;
  const Outcome fast = compute(GetParam(), student, teacher, params);
  EXPECT_LE(relative_error(fast.grad, truth.grad), 5e-3) << fast.plan;
}

TEST_P(PairwiseOnBackend, KappaMatchesReference) {
  TestTensor student({2, 6, 9, 9}, STRUCTKD_F64), teacher({2, 6, 9, 9}, STRUCTKD_F64);
  fill_pair(Input::kNearlyEqual, 6, student, teacher);
  Scalar<double> expected(0.0), kappa(0.0);
  structkd_pairwise_params params = params_of();
  params.kappa = expected.get();
  compute("reference", student, teacher, params);
  params.kappa = kappa.get();
  compute(GetParam(), student, teacher, params);
  EXPECT_NEAR(*kappa.get(), *expected.get(), 1e-6 * *expected.get());
}

TEST_P(PairwiseOnBackend, WritesTheGradientInAnyLayout) {
  TestTensor student({2, 5, 4, 6}, STRUCTKD_F32), teacher({2, 5, 4, 6}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 6, student, teacher);
  const Outcome dense = compute(GetParam(), student, teacher, params_of());
  for (Layout layout : kLayouts) {
    EXPECT_EQ(dense.grad, compute(GetParam(), student, teacher, params_of(), true, 2, layout).grad);
  }
}

TEST_P(PairwiseOnBackend, NarrowGradientIsTheWideOneRounded) {
  for (structkd_dtype dtype : {STRUCTKD_F16, STRUCTKD_BF16}) {
    TestTensor student({1, 5, 4, 6}, dtype), teacher({1, 5, 4, 6}, dtype);
    fill_pair(Input::kRandom, 6, student, teacher);
    const auto wide =
        compute(GetParam(), student, teacher, params_of(), true, 2, Layout::kContiguous, true);
    const auto narrow = compute(GetParam(), student, teacher, params_of());
    // Twice the rounding unit: small elements of f16 are subnormal.
    EXPECT_LE(relative_error(narrow.grad, wide.grad), 2 * storage_error(dtype));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
