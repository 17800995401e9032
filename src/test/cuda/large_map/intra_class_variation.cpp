// src/test/cuda/large_map/intra_class_variation.cpp: the intra-class variation loss.
#include "intra_class_variation_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, IntraClassVariationGrowsWithThePositions) {
  const auto run = [](const structkd_tensor& map) {
    const structkd_tensor labels =
        tensor_of({map.sizes[0], map.sizes[2], map.sizes[3]}, STRUCTKD_U8);
    structkd_intra_class_variation_params params{};
    params.struct_size = sizeof(params);
    params.num_classes = 19;
    params.labels = &labels;
    return planned([&](size_t* bytes) { return call(map, params, bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  for (const char* kernel :
       {"find_classes_thread_per_position_kernel", "sum_classes_chunk_per_warp_kernel",
        "similarities_tile_per_block_kernel", "variation_grad_tile_per_block_kernel"}) {
    expect_growth(small, large, kernel);
  }
  EXPECT_EQ(large.blocks.at("list_block_per_class_kernel"), 8u * 19);
  // Per position two tables of i32 and three slopes of f64, and per 256 positions the sums of both
  // nets and the losses of a tile; little beside the features.
  const uint64_t positions = uint64_t(8) * 16384 * 16384;
  EXPECT_LT(large.workspace, positions * (2 * 4 + 3 * 8 + 2));
}

TEST(FarElements, IntraClassVariation) {
  TestTensor labels({2, 2, 5}, STRUCTKD_I64);
  labels.fill([](int64_t i) { return double(i % 3); });
  expect_same_bits_far_apart(variation_params(labels, 2));
}

}  // namespace
}  // namespace structkd::test
