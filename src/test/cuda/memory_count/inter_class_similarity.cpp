// src/test/cuda/memory_count/inter_class_similarity.cpp: inter-class similarity.
#include "inter_class_similarity_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

std::string run_inter_class_similarity(const TestTensor& student, const TestTensor& teacher) {
  return compute(kEmulated, student, teacher, params_of(1.0, false)).plan;
}

// Kernels of the products and of the gradient; bytes of a load of logits, in a lane; classes to which
// tensor cores pad the factors of the gradient, 0 where there are none.
struct Form {
  const char *products, *grad;
  double product_load, grad_load;
  double padded_classes = 0;
  uint64_t product_conflicts = 0;
};

void expect_similarity(const Maps& maps, const Form& form) {
  const double bytes = maps.student.view()->dtype == STRUCTKD_F64 ? 8 : 4;
  const double logits = bytes * double(maps.student.elements());
  const double K = double(maps.student.view()->sizes[1]), padded = form.padded_classes;
  const std::string plan = run_inter_class_similarity(maps.student, maps.teacher);
  // Of each part and net: products and masses in f64; top and shift.
  const double sums = 2 * number_before(plan, "parts") * (8 * K * K + 8 * K + 2 * bytes * K);
  const double matrices = 3 * 8 * K * K;
  // Where classes are padded, rows of zeros are written, and rows and columns are read.
  const double written = K * K + (padded > 0 ? (padded - K) * padded : 0.0);
  const double read = padded > 0 ? padded * padded : K * K;
  expect_counts({
      {form.products, 2 * logits, sums, form.product_load, form.product_conflicts},
      {"divergence_rows_kernel", sums + matrices, matrices + 2 * bytes * written, kNoStream},
      {"divergence_columns_kernel", 8 * K * K, bytes * K, kNoStream},
      {form.grad, logits + 2 * bytes * read, logits, form.grad_load},
  });
}

const Form kByWarp = {"class_products_by_warp_kernel", "class_grad_by_warp_kernel", 16, 8, 24};

TEST_F(MemoryCount, InterClassSimilarityOf19) { expect_similarity(Maps(19, 19, 32, 64), kByWarp); }
TEST_F(MemoryCount, InterClassSimilarityOf21) { expect_similarity(Maps(21, 21, 32, 64), kByWarp); }

// Many classes on tensor cores.
TEST_F(MemoryCount, InterClassSimilarityOf70) {
  expect_similarity(Maps(70, 70, 32, 32),
                    {"class_products_kernel", "class_grad_by_block_kernel", 4, 8, 104});
}
TEST_F(MemoryCount, InterClassSimilarityOf150) {
  expect_similarity(Maps(150, 150, 16, 32),
                    {"class_products_kernel", "class_grad_by_block_kernel", 4, 8, 152});
}

// The same by multiply-adds.
TEST_F(MemoryCountOfSlowF64, InterClassSimilarityOf70) {
  expect_similarity(Maps(70, 70, 32, 32),
                    {"class_products_kernel", "class_grad_kernel", 4, 4, 0, 4608});
}
TEST_F(MemoryCountOfSlowF64, InterClassSimilarityOf150) {
  expect_similarity(Maps(150, 150, 16, 32), {"class_products_kernel", "class_grad_kernel", 4, 4});
}

// More groups of six classes than threads. Each block reads all logits of its pixels, and those of
// its own classes twice.
TEST_F(MemoryCount, InterClassSimilarityManyClasses) {
  const double K = 774, N = 32, groups = K / 6;
  expect_similarity(Maps(774, 774, 4, 8, STRUCTKD_F64),
                    {"class_products_kernel", "class_grad_reread_kernel", 8, 8, 0, 254016});
  EXPECT_EQ(double(streamed_reads("class_grad_reread_kernel", 8)), (groups + 1) * K * N / 32);
}

}  // namespace
}  // namespace structkd::test
