// src/test/cuda/kernel_smoke/relational.cpp: the relational loss.
#include "kernel_smoke/kernel_smoke.h"
#include "relational_cases.h"

namespace structkd::test {
namespace {

TEST_P(KernelSmoke, Relational) {
  // Embeddings of one chunk of threads, and of two.
  const Case cases[] = {{5, 3, 3, 5}, {6, 6, 2, 7, Layout::kChannelsLast}, {2, 4, 5, 13}};
  for (const Case& c : cases) {
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    for (structkd_relation relation : kRelations) {
      if (!takes(relation)) continue;
      check(student, teacher, params_of(relation, c.layout == Layout::kChannelsLast), 1e-5);
    }
  }
}

}  // namespace
}  // namespace structkd::test
