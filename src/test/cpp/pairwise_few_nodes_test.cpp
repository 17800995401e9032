// src/test/cpp/pairwise_few_nodes_test.cpp: FAST where there are fewer nodes than both maps have
// channels: on GPUs pairs on tensor cores, which leave what cancels to the exact ones.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr structkd_dtype kDtypes[] = {STRUCTKD_F32, STRUCTKD_F16, STRUCTKD_BF16};

class PairwiseFewNodes : public testing::TestWithParam<std::string> {
 protected:
  void expect_on_tensor_cores(const Outcome& outcome) const {
    if (GetParam() != "cuda-emulated") return;
    EXPECT_NE(outcome.plan.find("pairs, "), std::string::npos) << outcome.plan;
    EXPECT_NE(outcome.plan.find(" differences, "), std::string::npos) << outcome.plan;
  }
};

TEST_P(PairwiseFewNodes, MatchReferenceAroundTiles) {
  // Channels, H, W: just more than 64 nodes, and just less than 2 C; around tiles of 64 and 128
  // columns; channels beside multiples of 32 and of a gradient's 128. Then too few for tensor cores:
  // one node, and one tile.
  const int64_t shapes[][3] = {{33, 1, 65},   {33, 5, 13}, {35, 1, 69},  {64, 1, 127},
                               {66, 1, 128},  {70, 3, 43}, {97, 1, 193}, {130, 5, 13},
                               {100, 1, 199}, {40, 1, 1},  {40, 8, 8}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : kDtypes) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast, Layout::kSliced}) {
        const bool last = layout == Layout::kChannelsLast;
        TestTensor student({1, n[0], n[1], n[2]}, dtype, layout);
        TestTensor teacher({1, n[0], n[1], n[2]}, dtype, layout);
        fill_pair(last ? Input::kNearlyEqual : Input::kReluSparse, 11, student, teacher);
        expect_equal_to_reference(
            GetParam(), student, teacher,
            fast_params(last ? STRUCTKD_NORM_DETACHED : STRUCTKD_NORM_DIFFERENTIABLE));
        if (n[1] * n[2] <= 64) continue;
        expect_on_tensor_cores(compute(GetParam(), student, teacher, fast_params()));
      }
    }
  }
}

TEST_P(PairwiseFewNodes, KeepTheErrorBoundHoweverCloseTheyAre) {
  for (structkd_dtype dtype : kDtypes) {
    const double bound = dtype == STRUCTKD_BF16 ? 0x1p-7 : 0x1p-10;
    for (double apart : {1.0, 1e-1, 1e-2}) {
      TestTensor student({2, 80, 1, 140}, dtype), teacher({2, 80, 1, 140}, dtype);
      student.fill([](int64_t i) { return gaussian(5, uint64_t(i)); });
      teacher.fill([&](int64_t i) { return student.get(i) + apart * gaussian(6, uint64_t(i)); });
      const FastOutcome truth = compute_fast("reference", student, teacher);
      const FastOutcome fast = compute_fast(GetParam(), student, teacher);
      SCOPED_TRACE(fast.plan + ", apart by " + std::to_string(apart));
      expect_on_tensor_cores(fast);
      EXPECT_NEAR(fast.loss, truth.loss, bound * truth.loss);
      EXPECT_LE(relative_error(fast.grad, truth.grad), bound);
      EXPECT_NEAR(fast.kappa, truth.kappa, bound * truth.kappa);
    }
  }
}

// Rounded differences of turned features would err by 2e-2 (docs/methods/pairwise.md): the exact pairs
// have taken over.
TEST_P(PairwiseFewNodes, ExactWhereDifferencesCancel) {
  for (const auto& [channels, N] : {std::pair<int64_t, int64_t>{70, 77}, {132, 150}}) {
    for (structkd_dtype dtype : kDtypes) {
      TestTensor student({1, channels, 1, N}, dtype), teacher({1, channels, 1, N}, dtype);
      // Noise and rounding of the teacher must be small beside the turn.
      fill_turned(0.3, 19, student, teacher);
      const FastOutcome truth = compute_fast("reference", student, teacher);
      const FastOutcome fast = compute_fast(GetParam(), student, teacher);
      SCOPED_TRACE(fast.plan);
      EXPECT_NEAR(fast.loss, truth.loss, 2e-5 * truth.loss);
      EXPECT_LE(relative_error(fast.grad, truth.grad), 2e-4);
      EXPECT_NEAR(fast.kappa, truth.kappa, 1e-4 * truth.kappa);
    }
  }
}

// A batch in which the differences of one image cancel, the second is random and the third has nodes
// without weight that hold NaN: a form for each, and equal bits again.
TEST_P(PairwiseFewNodes, ImagesThatCancelBesideOthersInABatch) {
  constexpr int64_t kChannels = 46, kNodes = 7 * 11;
  for (structkd_dtype dtype : kDtypes) {
    TestTensor student({3, kChannels, 7, 11}, dtype), teacher({3, kChannels, 7, 11}, dtype);
    fill_turned(0.3, 19, student, teacher);
    const int64_t image = kChannels * kNodes;
    for (int64_t i = image; i < 3 * image; ++i) teacher.set(i, gaussian(3, uint64_t(i)));
    const double bound = dtype == STRUCTKD_BF16 ? 0x1p-7 : 0x1p-10;
    expect_on_tensor_cores(expect_right_images(GetParam(), student, teacher, bound, bound));
  }
}

TEST_P(PairwiseFewNodes, WholeBatchesAndEqualNets) {
  for (structkd_dtype dtype : kDtypes) {
    // Images of 45 nodes, together 90: chunks of nodes lie across images.
    TestTensor student({2, 50, 5, 9}, dtype), teacher({2, 50, 5, 9}, dtype);
    fill_pair(Input::kRandom, 8, student, teacher);
    structkd_pairwise_params params = fast_params();
    params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
    expect_equal_to_reference(GetParam(), student, teacher, params);
    const Outcome equal = compute(GetParam(), student, student, params);
    expect_on_tensor_cores(equal);
    EXPECT_EQ(0.0, equal.loss);
    for (double g : equal.grad) EXPECT_EQ(0.0, g);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseFewNodes,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
