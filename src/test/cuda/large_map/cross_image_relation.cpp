// src/test/cuda/large_map/cross_image_relation.cpp: the cross-image relation loss.
#include "cross_image_relation_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, CrossImageRelationGrowsWithTheRows) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, relation_params_of(), bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "measure_nodes_strip_per_block_kernel");
  // Each node has a row for each of 8 images, and two shares of it.
  const uint64_t rows = uint64_t(8) * 8 * 16384 * 16384;
  EXPECT_EQ(large.blocks.at("relation_sums_tile_per_block_kernel"), rows / 64);
  EXPECT_GE(large.workspace, 2 * rows * sizeof(float));
  // So many at a time, whatever the size.
  EXPECT_EQ(small.blocks.at("relation_slopes_tile_per_block_kernel"), 256u);
  EXPECT_EQ(large.blocks.at("relation_slopes_tile_per_block_kernel"), 528u);
}

TEST(FarElements, CrossImageRelation) { expect_same_bits_far_apart(relation_params_of()); }

}  // namespace
}  // namespace structkd::test
