// src/test/cpp/pairwise_test.cpp: the pair-wise loss on every backend against the f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

class PairwiseOnBackend : public testing::TestWithParam<std::string> {};

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

// With FAST 16-bit inputs may be multiplied in their own precision, from Cs + Ct nodes on. Turned features,
// whose differences cancel, must not be.
TEST_P(PairwiseOnBackend, NarrowInputsKeepTheirPrecisionAroundFormBoundaries) {
  // Channels, nodes: N = 2 C - 1, 2 C, 2 C + 1, one channel, and around tiles of 128.
  const int64_t shapes[][2] = {{1, 1},   {1, 2},    {1, 67},   {20, 39}, {20, 40},
                               {20, 41}, {63, 129}, {65, 131}, {33, 257}};
  structkd_pairwise_params params = params_of();
  params.precision = STRUCTKD_PRECISION_FAST;
  for (structkd_dtype dtype : {STRUCTKD_F16, STRUCTKD_BF16}) {
    for (const auto& [channels, N] : shapes) {
      TestTensor student({1, channels, 1, N}, dtype, Layout::kSliced);
      TestTensor teacher({1, channels, 1, N}, dtype, Layout::kSliced);
      for (Input input : {Input::kReluSparse, Input::kNearlyEqual}) {
        fill_pair(input, 23, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, params);
      }
      if (channels % 2 != 0) continue;
      for (double angle : {0.02, 0.45}) {
        fill_turned(angle, 19, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, params);
      }
    }
  }
}

// A batch in which the differences of one image cancel, the second is random, the third has nodes
// without weight: a form for each, with equal bits whatever the blocks' order.
TEST_P(PairwiseOnBackend, NarrowImagesThatCancelBesideOthersInABatch) {
  for (structkd_dtype dtype : {STRUCTKD_F16, STRUCTKD_BF16}) {
    TestTensor student({3, 12, 7, 9}, dtype), teacher({3, 12, 7, 9}, dtype);
    fill_turned(0.3, 19, student, teacher);
    for (int64_t i = teacher.elements() / 3; i < teacher.elements(); ++i) {
      teacher.set(i, gaussian(3, uint64_t(i)));
    }
    TestTensor weights({3, 7, 9}, STRUCTKD_F32);
    weights.fill([](int64_t i) { return i > 140 && i % 3 == 0 ? 0.0 : uniform(9, uint64_t(i)); });
    structkd_pairwise_params params = params_of();
    params.precision = STRUCTKD_PRECISION_FAST;
    for (const structkd_tensor* w : {static_cast<structkd_tensor*>(nullptr), weights.view()}) {
      params.weights = w;
      expect_equal_to_reference(GetParam(), student, teacher, params);
      const Outcome once = compute(GetParam(), student, teacher, params);
      const Outcome twice = compute(GetParam(), student, teacher, params);
      EXPECT_EQ(once.loss, twice.loss);
      EXPECT_EQ(once.grad, twice.grad);
      // The first image alone has a gradient that the others' would hide.
      const auto first = [&](const std::vector<double>& grad) {
        return std::vector<double>(grad.begin(), grad.begin() + 12 * 63);
      };
      How how;
      how.f32_grad = true;
      const Outcome truth = compute("reference", student, teacher, params, how);
      EXPECT_LE(relative_error(first(compute(GetParam(), student, teacher, params, how).grad),
                               first(truth.grad)),
                0x1p-7)
          << once.plan;
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

// A length that counts as constant has no finite difference; unit vectors that move along the
// sphere have one.
TEST_P(PairwiseOnBackend, DetachedGradientIsTheDerivativeAlongTheSphere) {
  for (int64_t channels : {4, 30}) {  // Gram form, tile form
    TestTensor student({2, channels, 3, 5}, STRUCTKD_F64), teacher({2, 6, 3, 5}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 21, student, teacher);
    structkd_pairwise_params params = params_of(STRUCTKD_NORM_DETACHED);
    params.eps = 1e-12;
    const std::vector<double> grad = compute(GetParam(), student, teacher, params).grad;
    for (uint64_t trial = 0; trial < 3; ++trial) {
      std::vector<double> direction(grad.size());
      for (size_t i = 0; i < grad.size(); ++i) direction[i] = gaussian(77 + trial, i);
      const int64_t N = 15;
      for (int64_t node = 0; node < 2 * N; ++node) {
        const auto element = [&](int64_t c) { return (node / N * channels + c) * N + node % N; };
        double along = 0.0, squares = 0.0;
        for (int64_t c = 0; c < channels; ++c) {
          along += direction[size_t(element(c))] * student.get(element(c));
          squares += student.get(element(c)) * student.get(element(c));
        }
        for (int64_t c = 0; c < channels; ++c) {
          direction[size_t(element(c))] -= along / squares * student.get(element(c));
        }
      }
      const double slope = central_difference([&](double step) {
        TestTensor moved({2, channels, 3, 5}, STRUCTKD_F64);
        moved.fill([&](int64_t i) { return student.get(i) + step * direction[size_t(i)]; });
        return compute(GetParam(), moved, teacher, params).loss;
      });
      const double expected = dot(grad, direction);
      EXPECT_NEAR(slope, expected, 1e-6 * std::abs(expected)) << "channels " << channels;
    }
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

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

TEST(PairwiseArguments, RefusesChannelsBeyond32Bits) {
  float unread = 0.0f;
  const structkd_tensor map{
      &unread, STRUCTKD_F32, 4, {1, int64_t(1) << 31, 1, 1}, {int64_t(1) << 31, 1, 1, 1}};
  const structkd_ctx ctx = context("cpu", 1);
  const structkd_pairwise_params params = params_of();
  size_t bytes = 0;
  EXPECT_EQ(STRUCTKD_ERR_SHAPE, structkd_pairwise_workspace(&ctx, &map, &map, &params, 1, &bytes));
  EXPECT_STREQ(
      "pair-wise loss: student has 2147483648 channels and teacher 2147483648, expected at most "
      "2^31 - 1 of each",
      structkd_last_error());
}

}  // namespace
}  // namespace structkd::test
