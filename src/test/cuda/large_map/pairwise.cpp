// src/test/cuda/large_map/pairwise.cpp: the pair-wise loss.
#include "large_map/large_map.h"
#include "pairwise_cases.h"

namespace structkd::test {
namespace {

structkd_status pairwise(const structkd_tensor& map, size_t* bytes) {
  return call(map, params_of(STRUCTKD_NORM_DIFFERENTIABLE), bytes);
}

TEST(LargeMaps, PairwiseGrowsWithTheNodes) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return pairwise(map, bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "measure_nodes_strip_per_block_kernel");
  expect_growth(small, large, "pairwise_gram_grad_tile_per_block_kernel");
  EXPECT_GE(large.workspace, uint64_t(kGrowth) * 128 * 128 * 16);  // the length of each vector
}

TEST(LargeMaps, PairwiseKeepsTheGapsOfManyPairs) {
  const structkd_tensor map = tensor_of({1, 70000, 256, 256}, STRUCTKD_F32);
  const Planned pairs = planned([&](size_t* bytes) { return pairwise(map, bytes); });
  ASSERT_EQ(pairs.status, STRUCTKD_OK) << structkd_last_error();
  const uint64_t nodes = 256 * 256, tiles = nodes / 64, channel_tiles = (70000 + 127) / 128;
  EXPECT_EQ(pairs.blocks.at("pairwise_pairs_tile_per_block_kernel"), tiles * (tiles + 1) / 2);
  EXPECT_EQ(pairs.blocks.at("pairwise_pairs_grad_tile_per_block_kernel"), tiles * channel_tiles);
  EXPECT_GE(pairs.workspace, nodes * nodes * sizeof(double));
}

TEST(LargeMaps, PairwiseRoundsManyPairs) {
  const structkd_tensor map = tensor_of({1, 70000, 256, 256}, STRUCTKD_F32);
  structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
  params.precision = STRUCTKD_PRECISION_FAST;
  const Planned pairs = planned([&](size_t* bytes) { return call(map, params, bytes); });
  ASSERT_EQ(pairs.status, STRUCTKD_OK) << structkd_last_error();
  const uint64_t nodes = 256 * 256, tiles = nodes / 128, channel_tiles = (70000 + 127) / 128;
  EXPECT_EQ(pairs.blocks.at("pairwise_rounded_pairs_tile_per_block_kernel"), tiles * (tiles + 1));
  EXPECT_EQ(pairs.blocks.at("pairwise_rounded_pairs_grad_tile_per_block_kernel"),
            tiles * channel_tiles);
  // D, U and S, and the gaps.
  EXPECT_GE(pairs.workspace, (3 * 70016 + nodes) * nodes * sizeof(float));
}

TEST(LargeMaps, PairwiseRoundsUnlikeChannels) {
  structkd_tensor student = tensor_of({1, 1000, 2048, 2048}, STRUCTKD_F32);
  const structkd_tensor teacher = tensor_of({1, 600, 2048, 2048}, STRUCTKD_F32);
  structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
  params.precision = STRUCTKD_PRECISION_FAST;
  const auto entries = entries_of(params);
  const Planned matrices = planned([&](size_t* bytes) {
    EXPECT_EQ(entries.workspace(&kContext, &student, &teacher, &params, 1, bytes), STRUCTKD_OK)
        << structkd_last_error();
    return entries.run(&kContext, &student, &teacher, &params, nowhere(), nowhere(), &student);
  });
  ASSERT_EQ(matrices.status, STRUCTKD_OK) << structkd_last_error();
  const uint64_t nodes = 2048 * 2048;
  EXPECT_EQ(matrices.blocks.at("round_nodes_strip_per_block_kernel"), nodes / 32);
  EXPECT_EQ(matrices.blocks.at("pairwise_rounded_grad_tile_per_block_kernel"), 8 * nodes / 128);
  EXPECT_GE(matrices.workspace, (1024 + 608) * nodes * sizeof(float));  // S and T
}

TEST(FarElements, Pairwise) { expect_same_bits_far_apart(params_of(STRUCTKD_NORM_DIFFERENTIABLE)); }

}  // namespace
}  // namespace structkd::test
