// src/test/cuda/memory_count/global_structural.cpp: the global structural loss and its samples.
#include <algorithm>
#include <cmath>

#include "global_structural_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

// Samples in sectors of their own, so that no two share what is read of a plane.
void run_global_structural(const TestTensor& student,
                           const TestTensor& teacher,
                           int64_t samples,
                           const TestTensor* permutation = nullptr) {
  const int64_t pixels = student.view()->sizes[2] * student.view()->sizes[3];
  Sampled sampled(1, samples, pixels);
  sampled.indices.fill([&](int64_t m) { return double(8 * m); });
  ASSERT_LE(8 * samples, pixels);
  structkd_global_structural_params params = params_of(-2, &sampled);
  if (permutation != nullptr) params.permutation = permutation->view();
  compute(kEmulated, student, teacher, params);
}

// Planes: a sampled element is a sector of its own, of both nets, and so is an element of the
// gradient.
void expect_global_structural(double C, double M, bool table) {
  const int64_t channels = int64_t(C);
  const Maps maps(channels, channels, 64, 64);
  const double N = 64 * 64, rows = 4 * M * C, map = 4 * M * M;
  TestTensor permutation({1, int64_t(M), int64_t(M)}, STRUCTKD_I32);
  permutation.fill([&](int64_t i) {
    const int64_t m = int64_t(M);
    return double((i / m + i % m * 7) % m);
  });
  run_global_structural(maps.student, maps.teacher, int64_t(M), table ? &permutation : nullptr);
  const double groups = std::ceil(M / 6), parts = std::ceil(M / 16);
  const double sums = 40 * parts * groups, slopes = 32 * groups;
  // The tiles of both maps, by blocks that take a ticket and arrive, as those of the groups do.
  const double side = std::ceil(M / (M <= 320 ? 32 : 64)), tiles = side * (side + 1);
  const double blocks = std::min(264.0, M * parts);
  const std::vector<Promise> promises = {
      // Rows are written, read and scaled.
      {"gather_rows_warp_per_row_kernel", 2 * (32 * M * C + rows) + (table ? 2 * map : 0),
       2 * rows + 2 * map + 4 * C * N, kNoStream},
      {"compare_maps_kernel", 2 * rows + 3 * map + sums, 2 * map + sums + slopes, kNoStream, 0,
       uint64_t(2 * tiles + 2 * blocks + 1)},
      {"row_gradient_tile_per_block_kernel", 3 * map + rows, 32 * M * C, kNoStream},
  };
  expect_counts(promises);
}

TEST_F(MemoryCount, GlobalStructuralFewSamples) { expect_global_structural(64, 200, false); }
TEST_F(MemoryCount, GlobalStructuralManySamples) { expect_global_structural(16, 352, false); }
TEST_F(MemoryCount, GlobalStructuralTable) { expect_global_structural(16, 64, true); }

// Samples of three classes where the teacher is right: logits and labels once, classes per stratum.
TEST_F(MemoryCount, GlobalStructuralSample) {
  const double K = 3, N = 64 * 64, drawn = 3 * 50;
  TestTensor logits({1, 3, 64, 64}, STRUCTKD_F32), labels({1, 64, 64}, STRUCTKD_U8);
  logits.fill([](int64_t i) { return gaussian(1, uint64_t(i)); });
  labels.fill([](int64_t i) { return std::floor(3 * uniform(2, uint64_t(i))); });
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.sampling = STRUCTKD_SAMPLING_CLASS_BALANCED;
  params.teacher_correct_only = 1;
  params.samples = 50;
  params.min_candidates = 1;
  params.num_classes = 3;
  params.ignore_index = 255;
  params.seed = 42;
  params.step = default_step();
  const structkd_ctx ctx = context(kEmulated, 1);
  size_t bytes = 0;
  ASSERT_EQ(structkd_global_structural_sample_workspace(&ctx, logits.view(), labels.view(), &params,
                                                        &bytes),
            STRUCTKD_OK);
  AlignedBytes workspace(bytes);
  TestTensor indices({1, int64_t(drawn)}, STRUCTKD_I32), counts({1, 2}, STRUCTKD_I32);
  ASSERT_EQ(structkd_global_structural_sample(&ctx, logits.view(), labels.view(), &params,
                                              workspace.data(), indices.view(), counts.view()),
            STRUCTKD_OK)
      << structkd_last_error();
  expect_counts({
      {"classify_thread_per_pixel_kernel", (4 * K + 1) * N, 4 * N},
      {"select_block_per_stratum_kernel", 4 * N, 4 * drawn, 4.0, 374},
      {"assemble_block_per_image_kernel", 4 * drawn, 4 * drawn, kNoStream},
  });
  expect_bytes_once("classify_thread_per_pixel_kernel", (4 * K + 5) * N);
}

}  // namespace
}  // namespace structkd::test
