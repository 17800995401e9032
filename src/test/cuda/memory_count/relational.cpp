// src/test/cuda/memory_count/relational.cpp: the relational loss.
#include "memory_count/memory_count.h"
#include "relational_cases.h"

namespace structkd::test {
namespace {

// One chunk of embeddings.
constexpr double kN = 8 * 16, kC = 32, kMatrix = 8 * kN * kN, kRows = 8 * kN * kC, kSums = 32 * kN;

void run_relational(structkd_relation relation) {
  const Maps maps(32, 32, 8, 16);
  compute(kEmulated, maps.student, maps.teacher, params_of(relation), like(maps.student));
}

TEST_F(MemoryCount, RelationalAngles) {
  run_relational(STRUCTKD_RELATION_ANGLE);
  expect_counts({
      {"relational_rows_embedding_per_thread_kernel", kRows, 2 * kRows + 16 * kN, 4.0},
      {"relational_squares_pair_per_thread_kernel", 2 * kRows, 4 * kMatrix, 8.0},
      {"relational_angles_pair_per_thread_kernel", 4 * kMatrix, kMatrix + kSums, 8.0},
      {"relational_end_one_block_kernel", kSums, 20, kNoStream},
      {"relational_pull_pair_per_thread_kernel", kMatrix, kMatrix, kNoStream},
      {"relational_grad_element_per_thread_kernel", kMatrix + kRows, kRows, 8.0},
      {"relational_finish_embedding_per_thread_kernel", kRows, kRows / 2, 8.0},
  });
}

TEST_F(MemoryCount, RelationalAreas) {
  run_relational(STRUCTKD_RELATION_AREA);
  const double squares = 16 * kN * (kN - 3);  // but the diagonal, and what has no third embedding
  expect_counts({
      {"relational_rows_embedding_per_thread_kernel", kRows, 2 * kRows + 16 * kN, 4.0},
      {"relational_squares_pair_per_thread_kernel", 2 * kRows, 2 * kMatrix, 8.0},
      {"relational_means_pair_per_thread_kernel", squares, kSums, kNoStream},
      {"relational_areas_pair_per_thread_kernel", squares, 2 * kMatrix + kSums, kNoStream},
      {"relational_end_one_block_kernel", 2 * kSums, 36, kNoStream},
      {"relational_pull_pair_per_thread_kernel", 2 * kMatrix, kMatrix, kNoStream},
      {"relational_grad_element_per_thread_kernel", kMatrix + kRows, kRows, 8.0},
      {"relational_finish_embedding_per_thread_kernel", kRows, kRows / 2, 8.0},
  });
}

}  // namespace
}  // namespace structkd::test
