// src/test/cuda/kernel_smoke/pairwise.cpp: the pair-wise loss.
#include "kernel_smoke/kernel_smoke.h"
#include "pairwise_cases.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, Pairwise) {
  constexpr Layout kPlanes = Layout::kContiguous;
  constexpr Input kRandom = Input::kRandom, kClose = Input::kNearlyEqual;
  // Few nodes (pairs) and many (matrices), of equal and unequal widths; then gradient tiles of 128
  // channels, several tiles of pairs, more channels than a tile; matrices in tiles of 128 rows. Of
  // equal widths and 16 bits, or fast, sums and differences in tiles of 128 x 128, or 128 x 64 of
  // pairs of more than 64 nodes; of unequal widths and many nodes unit vectors in tiles of 128 x 128.
  const Case cases[] = {{13, 13, 3, 5},
                        {9, 5, 4, 19, Layout::kChannelsLast},
                        {34, 6, 5, 13, Layout::kSliced},
                        {5, 5, 3, 11},
                        {5, 5, 3, 11, kPlanes, kClose},
                        {7, 7, 4, 9, Layout::kChannelsLast},
                        {34, 34, 6, 13, Layout::kSliced, kClose},
                        {5, 5, 3, 11, kPlanes, kClose, true},
                        {41, 41, 7, 11, Layout::kSliced, kClose, true},
                        {70, 70, 5, 13, Layout::kChannelsLast, kRandom, true},
                        {9, 5, 4, 19, Layout::kChannelsLast, kRandom, true},
                        {34, 6, 5, 13, Layout::kSliced, kRandom, true},
                        {70, 6, 3, 5},
                        {40, 26, 5, 13, kPlanes, kRandom, false, Device::kAny, true},
                        {70, 6, 7, 11, kPlanes, kRandom, false, Device::kAny, true},
                        {130, 6, 5, 13, kPlanes, kRandom, false, Device::kAny, true},
                        {70, 70, 7, 20, kPlanes, kClose, false, Device::kSlowF64, true},
                        {65, 193, 6, 43, kPlanes, kRandom, false, Device::kFastF64, true},
                        {130, 130, 2, 139, kPlanes, kClose, true, Device::kFastF64, true},
                        {66, 130, 2, 139, kPlanes, kRandom, true, Device::kFastF64, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases)) continue;
    // The largest tiles run once each; those of the fast mode are of f32, as it is.
    if (c.device == Device::kFastF64 && c.fast != (GetParam() == STRUCTKD_F32)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student) + " and " + describe(teacher));
    fill_pair(c.input, 3, student, teacher);
    TestTensor weights({2, c.height, c.width}, STRUCTKD_F32);
    weights.fill([](int64_t i) { return uniform(4, uint64_t(i)); });
    structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
    const bool fast = c.fast || GetParam() == STRUCTKD_F16 || GetParam() == STRUCTKD_BF16;
    params.precision = fast ? STRUCTKD_PRECISION_FAST : STRUCTKD_PRECISION_EXACT;
    if (c.layout == Layout::kChannelsLast) {
      params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
      params.weights = weights.view();
    }
    const int64_t nodes = c.height * c.width * (params.pairs == STRUCTKD_PAIRS_WHOLE_BATCH ? 2 : 1);
    const bool rounds = fast && (c.student_channels == c.teacher_channels ||
                                 nodes >= c.student_channels + c.teacher_channels);
    check(student, teacher, params, rounds ? 2e-2 : 1e-5, c.large);
  }
}

// Absolute values: pairs whose signs are kept, and pairs whose signs are used at once.
TEST_P(KernelSmoke, PairwiseSigns) {
  const Case cases[] = {
      {13, 13, 3, 5},
      {9, 5, 4, 19, Layout::kChannelsLast},
      {5, 5, 3, 11, Layout::kContiguous, Input::kNearlyEqual},
      {70, 6, 7, 11, Layout::kContiguous, Input::kRandom, false, Device::kAny, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student) + " and " + describe(teacher));
    fill_pair(c.input, 3, student, teacher);
    structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
    params.compare = STRUCTKD_COMPARE_L1;
    params.eps_mode = STRUCTKD_EPS_MAX;  // what 1e-8 changes in an affinity is near a tie
    check(student, teacher, params, 1e-5, c.large);
  }
}

}  // namespace
}  // namespace structkd::test
