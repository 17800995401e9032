// src/test/cuda/kernel_smoke/inter_class_similarity.cpp: inter-class similarity.
#include "inter_class_similarity_cases.h"
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, InterClassSimilarity) {
  const Case cases[] = {
      {3, 3, 5, 27},
      {19, 19, 5, 27},
      {19, 19, 7, 9, Layout::kChannelsLast},
      {21, 21, 3, 13},
      {70, 70, 1, 13, Layout::kSliced},
      // On tensor cores: one block of 8 classes to nineteen, pixels in chunks and one by one; several
      // tiles of a warp, the shapes of many classes.
      {12, 12, 4, 36},
      {32, 32, 8, 40},
      {40, 40, 3, 50},
      {19, 19, 40, 64},
      {150, 150, 6, 13},
      // f32 multiply-adds of many classes.
      {150, 150, 3, 12, Layout::kContiguous, Input::kRandom, false, Device::kSlowF64},
      // f32: more groups of classes than a block has threads.
      {1290, 1290, 1, 2, Layout::kContiguous, Input::kRandom, false, Device::kAny, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases) || (c.large && GetParam() != STRUCTKD_F32)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor mask({student.view()->sizes[0], c.height, c.width}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    auto params = params_of(2.0, c.layout == Layout::kChannelsLast);
    if (c.student_channels > 19) params.mask = mask.view();
    check(student, teacher, params, 1e-4, c.large);
  }
}

}  // namespace
}  // namespace structkd::test
