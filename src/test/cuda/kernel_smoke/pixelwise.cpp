// src/test/cuda/kernel_smoke/pixelwise.cpp: the pixel-wise loss.
#include "kernel_smoke/kernel_smoke.h"
#include "pixelwise_cases.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, Pixelwise) {
  // Class counts of each mapping: registers of one thread, of several, rows, too many. Long rows that
  // are aligned and not.
  const Case cases[] = {{3, 3, 5, 27},
                        {19, 19, 5, 27},
                        {19, 19, 7, 9, Layout::kChannelsLast},
                        {40, 40, 3, 13},
                        {40, 40, 3, 13, Layout::kChannelsLast},
                        {180, 180, 1, 33},
                        {21, 21, 7, 9, Layout::kSliced},
                        {27, 27, 3, 43},
                        {140, 140, 1, 33},
                        {160, 160, 1, 33},
                        {260, 260, 1, 5},
                        {1030, 1030, 1, 2},
                        {1032, 1032, 1, 1},
                        {1032, 1032, 1, 1, Layout::kContiguous, Input::kNearlyEqual}};
  for (const Case& c : cases) {
    if (!takes(&c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor mask({2, c.height, c.width}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
    params.temperature = 2.0;
    if (c.student_channels % 2 != 0) params.mask = mask.view();
    check(student, teacher, params, 1e-5);
  }
}

}  // namespace
}  // namespace structkd::test
