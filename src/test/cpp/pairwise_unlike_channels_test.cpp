// src/test/cpp/pairwise_unlike_channels_test.cpp: FAST where student and teacher have different
// channels: on GPUs matrices of unit vectors on tensor cores, which leave norms that cancel to the
// exact ones.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr structkd_dtype kDtypes[] = {STRUCTKD_F32, STRUCTKD_F16, STRUCTKD_BF16};
// What FAST promises of the gradient.
constexpr double kPromise = 5e-3;

// The teacher has the student's channels in reverse order, those that the student lacks are noise:
// the norms cancel however far apart the features are.
void fill_reversed(double noise, TestTensor& student, TestTensor& teacher) {
  const structkd_tensor& s = *student.view();
  const int64_t N = s.sizes[2] * s.sizes[3], Cs = s.sizes[1], Ct = teacher.view()->sizes[1];
  student.fill([](int64_t i) { return gaussian(7, uint64_t(i)); });
  teacher.fill([&](int64_t i) {
    const int64_t b = i / (Ct * N), c = i / N % Ct, n = i % N;
    const double other = c < Cs ? student.get((b * Cs + Cs - 1 - c) * N + n) : 0.0;
    return other + noise * gaussian(8, uint64_t(i));
  });
}

class PairwiseUnlikeChannels : public testing::TestWithParam<std::string> {
 protected:
  void expect_on_tensor_cores(const Outcome& outcome) const {
    if (GetParam() != "cuda-emulated") return;
    EXPECT_NE(outcome.plan.find("matrices, tf32 unit vectors, "), std::string::npos)
        << outcome.plan;
  }
};

TEST_P(PairwiseUnlikeChannels, MatchReferenceAroundTiles) {
  // Cs, Ct, H, W: Cs + Ct nodes and one more; one channel; around 32 channels, where planes end, 64,
  // where rows of the stack do, and 128, a tile; an odd and an even number of 64 rows.
  const int64_t shapes[][4] = {
      {3, 5, 2, 4},    {1, 3, 1, 7},    {5, 1, 3, 5},      {33, 31, 1, 65},  {31, 64, 5, 19},
      {64, 65, 3, 43}, {70, 20, 7, 13}, {20, 130, 1, 151}, {130, 33, 9, 19}, {63, 129, 1, 200}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : kDtypes) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast, Layout::kSliced}) {
        TestTensor student({2, n[0], n[2], n[3]}, dtype, layout);
        TestTensor teacher({2, n[1], n[2], n[3]}, dtype, layout);
        const bool last = layout == Layout::kChannelsLast;
        fill_pair(last ? Input::kRandom : Input::kReluSparse, 11, student, teacher);
        structkd_pairwise_params params =
            fast_params(last ? STRUCTKD_NORM_DETACHED : STRUCTKD_NORM_DIFFERENTIABLE);
        if (layout == Layout::kSliced) params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
        expect_equal_to_reference(GetParam(), student, teacher, params);
        expect_on_tensor_cores(compute(GetParam(), student, teacher, params));
      }
    }
  }
}

TEST_P(PairwiseUnlikeChannels, FewNodesStayExact) {
  TestTensor student({1, 40, 1, 103}, STRUCTKD_F32), teacher({1, 64, 1, 103}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 3, student, teacher);
  const Outcome truth = compute("reference", student, teacher, fast_params());
  const Outcome outcome = compute(GetParam(), student, teacher, fast_params());
  EXPECT_NEAR(outcome.loss, truth.loss, 1e-6 * truth.loss) << outcome.plan;
  EXPECT_LE(relative_error(outcome.grad, truth.grad), 1e-5);
}

// From far apart, where rounded vectors do, to nearly equal affinities, where the exact ones must have
// taken over.
TEST_P(PairwiseUnlikeChannels, KeepTheErrorBoundHoweverTheNormsCancel) {
  for (const auto& [Cs, Ct] : {std::pair<int64_t, int64_t>{24, 48}, {70, 30}, {30, 70}}) {
    for (structkd_dtype dtype : kDtypes) {
      for (double noise : {3.0, 1.0, 0.5, 0.3, 0.2, 0.1, 1e-2}) {
        TestTensor student({1, Cs, 1, 210}, dtype), teacher({1, Ct, 1, 210}, dtype);
        fill_reversed(noise, student, teacher);
        const FastOutcome truth = compute_fast("reference", student, teacher);
        const FastOutcome fast = compute_fast(GetParam(), student, teacher);
        SCOPED_TRACE(fast.plan + ", noise " + std::to_string(noise) + ", kappa " +
                     std::to_string(truth.kappa));
        expect_on_tensor_cores(fast);
        EXPECT_NEAR(fast.loss, truth.loss, kPromise / 2 * truth.loss);
        EXPECT_LE(relative_error(fast.grad, truth.grad), kPromise);
        EXPECT_NEAR(fast.kappa, truth.kappa, kPromise / 2 * truth.kappa);
        // Far above kMostRoundedNorms, 2 kappa^2, GPUs are exact; the CPU has its own f32 form and bound.
        if (truth.kappa < 8.0 || GetParam() != "cuda-emulated") continue;
        EXPECT_NEAR(fast.loss, truth.loss, 2e-5 * truth.loss);
        EXPECT_LE(relative_error(fast.grad, truth.grad), 2e-4);
      }
    }
  }
}

// A batch in which the norms of one image cancel, the second is random and the third has nodes without
// weight that hold NaN: a form for each, and equal bits again.
TEST_P(PairwiseUnlikeChannels, ImagesThatCancelBesideOthersInABatch) {
  constexpr int64_t kStudents = 12, kTeachers = 46, kNodes = 7 * 11;
  for (structkd_dtype dtype : kDtypes) {
    TestTensor student({3, kStudents, 7, 11}, dtype), teacher({3, kTeachers, 7, 11}, dtype);
    fill_reversed(1e-2, student, teacher);
    for (int64_t i = kTeachers * kNodes; i < teacher.elements(); ++i) {
      teacher.set(i, gaussian(3, uint64_t(i)));
    }
    expect_on_tensor_cores(
        expect_right_images(GetParam(), student, teacher, kPromise / 2, kPromise));
  }
}

// Nothing of the affinities is left: the student with channels of zeros beside its own.
TEST_P(PairwiseUnlikeChannels, PaddedWithZerosAreEqual) {
  for (structkd_dtype dtype : kDtypes) {
    TestTensor student({2, 20, 5, 19}, dtype), teacher({2, 41, 5, 19}, dtype);
    fill_reversed(0.0, student, teacher);
    const Outcome equal = compute(GetParam(), student, teacher, fast_params());
    expect_on_tensor_cores(equal);
    EXPECT_LE(equal.loss, 1e-12);
    for (double g : equal.grad) EXPECT_NEAR(0.0, g, 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseUnlikeChannels,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
