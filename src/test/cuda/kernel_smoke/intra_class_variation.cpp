// src/test/cuda/kernel_smoke/intra_class_variation.cpp: the intra-class variation loss.
#include "intra_class_variation_cases.h"
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, IntraClassVariation) {
  // Positions of one chunk and of two, channels of one warp and of several.
  const Case cases[] = {{3, 3, 5, 27},
                        {5, 9, 7, 9, Layout::kChannelsLast},
                        {9, 2, 13, 21},
                        {70, 33, 3, 11, Layout::kSliced},
                        {2, 2, 17, 16, Layout::kContiguous, Input::kReluSparse},
                        {17, 17, 4, 9}};
  for (const Case& c : cases) {
    if (!takes(&c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor labels({2, c.height, c.width}, STRUCTKD_U8),
        mask({2, c.height, c.width}, STRUCTKD_U8);
    labels.fill([](int64_t i) { return std::floor(5 * uniform(6, uint64_t(i))); });
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    structkd_intra_class_variation_params params = variation_params(labels, 4);
    if (c.student_channels % 2 != 0) params.mask = mask.view();
    check(student, teacher, params, 1e-5);
  }
}

}  // namespace
}  // namespace structkd::test
