// src/test/cuda/memory_count/pixelwise.cpp: the pixel-wise loss.
#include "memory_count/memory_count.h"
#include "pixelwise_cases.h"

namespace structkd::test {
namespace {

void run_pixelwise(const TestTensor& student,
                   const TestTensor& teacher,
                   const TestTensor* mask = nullptr) {
  structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
  if (mask != nullptr) params.mask = mask->view();
  compute(kEmulated, student, teacher, params, like(student));
}

// Two reads and a write of every logit, without caches, too, and 8 bytes per block.
void expect_one_pass(const Maps& maps, double pixels_per_block) {
  const double logits = double(maps.student.elements());
  const double sums = 8 * logits / double(maps.student.view()->sizes[1]) / pixels_per_block;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_registers_kernel", 8 * logits, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
  expect_bytes_once("pixelwise_registers_kernel", 12 * logits);
}

TEST_F(MemoryCount, PixelwiseThreadPerPixel) { expect_one_pass(Maps(19, 19, 32, 64), 128); }

TEST_F(MemoryCount, PixelwiseWarpsPerPixels) { expect_one_pass(Maps(100, 100, 32, 32), 32); }

TEST_F(MemoryCount, PixelwiseChannelsLast) {
  expect_one_pass(Maps(24, 24, 32, 32, STRUCTKD_F32, Layout::kChannelsLast), 16);
}

// Four passes, three of which find the logits in the second cache.
TEST_F(MemoryCount, PixelwiseManyClasses) {
  const Maps maps(200, 200, 16, 32);
  const double logits = double(maps.student.elements()), sums = 8 * (16 * 32) / 32.0;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_reread_kernel", 8 * logits, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
}

TEST_F(MemoryCount, PixelwiseRowOfAWarp) {
  expect_one_pass(Maps(128, 128, 16, 32, STRUCTKD_F32, Layout::kChannelsLast), 4);
}

TEST_F(MemoryCount, PixelwiseRowOfABlock) {
  expect_one_pass(Maps(1024, 1024, 4, 8, STRUCTKD_F32, Layout::kChannelsLast), 1);
}

// Rows of which all but `again` classes stay in shared memory; these come from the second cache for
// the gradient.
void expect_rows(const Maps& maps, double again, double sectors, double spread = 1.0) {
  const double logits = double(maps.student.elements()),
               rows = logits / double(maps.student.view()->sizes[1]), sums = 8 * rows;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_rows_kernel", 8 * logits, 4 * logits + sums, sectors},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
  expect_bytes_once("pixelwise_rows_kernel", spread * (12 * logits + 8 * again * rows));
}

TEST_F(MemoryCount, PixelwiseLongRows) {
  expect_rows(Maps(4096, 4096, 2, 5, STRUCTKD_F32, Layout::kChannelsLast), 0, 16.0);
}

// Of 16 pieces of each thread 14 have room.
TEST_F(MemoryCount, PixelwiseRowsThatAreTooLong) {
  expect_rows(Maps(32768, 32768, 1, 2, STRUCTKD_F32, Layout::kChannelsLast), 4096, 16.0);
}

// Rows begin anywhere: the 128 bytes of a warp lie in five sectors instead of four.
TEST_F(MemoryCount, PixelwiseRowsThatAreNotAligned) {
  expect_rows(Maps(4097, 4097, 2, 5, STRUCTKD_F32, Layout::kChannelsLast), 0, kNoStream, 1.25);
}

TEST_F(MemoryCount, PixelwiseMasked) {
  const Maps maps(19, 19, 32, 64);
  TestTensor mask({1, 32, 64}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return double(i % 5 != 0); });
  const double N = 32 * 64, logits = 19 * N, counts = 8 * 128, sums = 8 * N / 128;
  run_pixelwise(maps.student, maps.teacher, &mask);
  expect_counts({{"count_valid_pixels_kernel", N, counts, kNoStream},
                 {"pixelwise_registers_kernel", 8 * logits + N + counts, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums + counts, 4, kNoStream}});
}

}  // namespace
}  // namespace structkd::test
