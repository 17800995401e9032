// src/test/cuda/memory_count/cross_image_relation.cpp: the cross-image relation loss.
#include "cross_image_relation_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

// Slopes are stored as products leave them, two of a row per lane: half of each sector at a time.
//
// Per node, of both nets: scales of 16 bytes, shares of 4; 1 / |f| of the student.
constexpr double kScales = 32, kShares = 8, kAlong = 8;

TEST_F(MemoryCount, CrossImageRelation) {
  const double N = 32 * 32, C = 64, tiles = N / 64, strips = N / 32;
  const Maps maps(64, 64, 32, 32);
  compute(kEmulated, maps.student, maps.teacher, relation_params_of(), like(maps.student));
  const double features = 4 * 2 * C * N, slopes = 4 * 64 * 64 * tiles;
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", features, (kScales + kAlong) * N},
      {"relation_sums_tile_per_block_kernel", features + kScales * N, kShares * N + 8 * tiles},
      {"relation_loss_kernel", 8 * tiles, 4, kNoStream},
      {"relation_slopes_tile_per_block_kernel",
       features + (kScales + kAlong + kShares) * N + 16 * strips + slopes, 4 * N * C + slopes,
       kNoStream},
  });
}

// More channels than a block of the gradient holds: it takes a second step.
TEST_F(MemoryCount, CrossImageRelationManyChannels) {
  const double N = 16 * 8, Cs = 72, Ct = 20, tiles = N / 64, strips = N / 32, parts = 2;
  const Maps maps(72, 20, 16, 8);
  compute(kEmulated, maps.student, maps.teacher, relation_params_of(), like(maps.student));
  const double features = 4 * (Cs + Ct) * N, slopes = 4 * 64 * 64 * tiles * parts;
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", features, (kScales + kAlong) * N},
      {"relation_sums_tile_per_block_kernel", features + kScales * N, kShares * N + 8 * tiles},
      {"relation_loss_kernel", 8 * tiles, 4, kNoStream},
      {"relation_slopes_tile_per_block_kernel",
       features + (kScales + kShares) * N + 16 * strips + slopes,
       4 * N * Cs + 8 * N * parts + slopes, kNoStream},
      {"pairwise_grad_finish_kernel",
       4 * 2 * Cs * N + (kScales + kAlong + 8 * parts) * N + 16 * strips, 4 * N * Cs},
  });
}

}  // namespace
}  // namespace structkd::test
