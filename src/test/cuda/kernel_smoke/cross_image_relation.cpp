// src/test/cuda/kernel_smoke/cross_image_relation.cpp: the cross-image relation loss.
#include "cross_image_relation_cases.h"
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, CrossImageRelation) {
  // Few nodes, in f64; tiles of nodes that two images share; more channels than a block has.
  const Case cases[] = {{13, 9, 3, 5},
                        {9, 5, 4, 19, Layout::kChannelsLast},
                        {70, 6, 5, 13, Layout::kSliced, Input::kRandom, false, Device::kAny, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student) + " and " + describe(teacher));
    fill_pair(c.input, 3, student, teacher);
    check(student, teacher, relation_params_of(), 1e-5, c.large);
  }
}

}  // namespace
}  // namespace structkd::test
