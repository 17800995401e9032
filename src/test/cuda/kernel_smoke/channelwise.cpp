// src/test/cuda/kernel_smoke/channelwise.cpp: the channel-wise loss.
#include "channelwise_cases.h"
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, Channelwise) {
  // Channels of a warp; of a block, in one part and in two.
  const Case cases[] = {{3, 3, 5, 27},
                        {5, 5, 7, 9, Layout::kChannelsLast},
                        {2, 2, 33, 35},
                        {3, 3, 31, 35, Layout::kSliced},
                        {1, 1, 67, 65, Layout::kContiguous, Input::kNearlyEqual},
                        {2, 2, 65, 64}};
  for (const Case& c : cases) {
    if (!takes(&c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor mask({2, c.height, c.width}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    structkd_channelwise_params params = channelwise_params(2.0);
    if (c.student_channels % 2 != 0) params.mask = mask.view();
    check(student, teacher, params, 1e-5);
  }
}

}  // namespace
}  // namespace structkd::test
