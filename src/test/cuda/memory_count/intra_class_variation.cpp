// src/test/cuda/memory_count/intra_class_variation.cpp: the intra-class variation loss.
#include "intra_class_variation_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

// Labels as a segmentation has them: bands of 512 positions of one class, so that a chunk has one.
// Both nets twice, the student twice more with its gradient; of each position its label, its class,
// its place in the order and three slopes; sums of each chunk, and of each class centres, their
// lengths and pulls.
TEST_F(MemoryCount, IntraClassVariation) {
  const double N = 64 * 64, Cs = 24, Ct = 40, K = 8, chunks = N / 256, tiles = N / 32;
  const Maps maps(24, 40, 64, 64);
  TestTensor labels({1, 64, 64}, STRUCTKD_U8), mask({1, 64, 64}, STRUCTKD_U8);
  labels.fill([](int64_t i) { return double(i / 512); });
  mask.fill([](int64_t) { return 1.0; });
  structkd_intra_class_variation_params params = variation_params(labels, 8);
  params.mask = mask.view();
  compute(kEmulated, maps.student, maps.teacher, params, like(maps.student));
  const double begins = 4 * (K + 1), parts = 8 * N / 256, student = 4 * N * Cs,
               teacher = 4 * N * Ct;
  // Of the class that a chunk begins with.
  const double firsts = 32 * chunks;
  expect_counts({
      {"find_classes_thread_per_position_kernel", 2 * N, 4 * N + parts, kNoStream},
      {"count_valid_kernel", parts, 8, kNoStream},
      {"list_block_per_class_kernel", 4 * N, 4 * N + begins},
      // Three times; the last with weights.
      {"sum_classes_chunk_per_warp_kernel",
       2 * student + teacher + 3 * (4 * N + begins + firsts) + 8 * N, 8 * chunks * (2 * Cs + Ct)},
      {"centres_block_per_class_kernel", begins + 8 * chunks * (Cs + Ct),
       8 * K * (Cs + Ct) + 16 * K, kNoStream},
      {"similarities_tile_per_block_kernel",
       student + teacher + 4 * N + 8 * K * (Cs + Ct) + 16 * K + 8, 24 * N + 8 * tiles},
      {"variation_loss_kernel", 8 * tiles + 8, 4, kNoStream},
      {"pulls_block_per_class_kernel", begins + 12 * N + 8 * chunks * Cs + 8 * K * Cs + 8 * K,
       8 * K * Cs, kNoStream},
      {"variation_grad_tile_per_block_kernel", student + 20 * N + 16 * K * Cs, student},
  });
}

}  // namespace
}  // namespace structkd::test
