// src/test/cuda/memory_count/inter_class_similarity.cpp: inter-class similarity.
#include "inter_class_similarity_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

std::string run_inter_class_similarity(const TestTensor& student, const TestTensor& teacher) {
  return compute(kEmulated, student, teacher, params_of(1.0, false)).plan;
}

void expect_similarity(const Maps& maps,
                       uint64_t product_conflicts,
                       const char* grad_kernel = "class_grad_kernel") {
  const double bytes = maps.student.view()->dtype == STRUCTKD_F64 ? 8 : 4;
  const double logits = bytes * double(maps.student.elements());
  const double K = double(maps.student.view()->sizes[1]);
  const std::string plan = run_inter_class_similarity(maps.student, maps.teacher);
  // Of each part and net: products and masses in f64; top and shift.
  const double sums = 2 * number_before(plan, "parts") * (8 * K * K + 8 * K + 2 * bytes * K);
  const double matrices = 3 * 8 * K * K, factors = 2 * bytes * K * K;
  expect_counts({
      {"class_products_kernel", 2 * logits, sums, bytes, product_conflicts},
      {"divergence_rows_kernel", sums + matrices, matrices + factors, kNoStream},
      {"divergence_columns_kernel", 8 * K * K, bytes * K, kNoStream},
      {grad_kernel, logits + factors, logits, bytes},
  });
}

TEST_F(MemoryCount, InterClassSimilarityOf19) { expect_similarity(Maps(19, 19, 32, 64), 858); }
TEST_F(MemoryCount, InterClassSimilarityOf21) { expect_similarity(Maps(21, 21, 32, 64), 2162); }
TEST_F(MemoryCount, InterClassSimilarityOf70) { expect_similarity(Maps(70, 70, 32, 32), 4608); }
TEST_F(MemoryCount, InterClassSimilarityOf150) { expect_similarity(Maps(150, 150, 16, 32), 0); }

// More groups of six classes than threads. Each block reads all logits of its pixels, and those of
// its own classes twice.
TEST_F(MemoryCount, InterClassSimilarityManyClasses) {
  const double K = 774, N = 32, groups = K / 6;
  expect_similarity(Maps(774, 774, 4, 8, STRUCTKD_F64), 254016, "class_grad_reread_kernel");
  EXPECT_EQ(double(streamed_reads("class_grad_reread_kernel", 8)), (groups + 1) * K * N / 32);
}

}  // namespace
}  // namespace structkd::test
