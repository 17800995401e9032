// src/test/cuda/large_map/global_structural.cpp: the global structural loss and its samples.
#include "global_structural_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

structkd_status global_structural(const structkd_tensor& map, int64_t samples, size_t* bytes) {
  const structkd_tensor indices = tensor_of({map.sizes[0], samples}, STRUCTKD_I32),
                        counts = tensor_of({map.sizes[0], 2}, STRUCTKD_I32);
  structkd_global_structural_params params = params_of(-1, nullptr);
  params.indices = &indices;
  params.counts = &counts;
  params.step = static_cast<const int64_t*>(nowhere());
  return call(map, params, bytes);
}

TEST(LargeMaps, GlobalStructuralGrowsWithTheSamples) {
  constexpr uint64_t kSamples = 1 << 15, kImages = 8;
  const structkd_tensor map = large_map();
  const Planned few = planned([&](size_t* bytes) { return global_structural(map, 37, bytes); });
  const Planned many =
      planned([&](size_t* bytes) { return global_structural(map, kSamples, bytes); });
  ASSERT_EQ(few.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(many.status, STRUCTKD_OK) << structkd_last_error();
  EXPECT_LT(few.workspace, 1u << 20);
  // Maps of both nets, order of columns, groups: 8.6e9 entries of each.
  EXPECT_GE(many.workspace, kImages * kSamples * kSamples * 16);
  EXPECT_EQ(many.blocks.at("row_gradient_tile_per_block_kernel"), kImages * kSamples / 32);
}

TEST(LargeMaps, SamplingKeepsTheClassOfEachPixel) {
  structkd_tensor labels = tensor_of({8, 16384, 16384}, STRUCTKD_U8);
  structkd_tensor indices = tensor_of({8, 1900}, STRUCTKD_I32),
                  counts = tensor_of({8, 2}, STRUCTKD_I32), logits = large_map();
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.samples = 100;
  params.min_candidates = 1;
  params.num_classes = 19;
  params.ignore_index = 255;
  params.step = static_cast<const int64_t*>(nowhere());
  const Planned sampling = planned([&](size_t* bytes) {
    EXPECT_EQ(
        structkd_global_structural_sample_workspace(&kContext, &logits, &labels, &params, bytes),
        STRUCTKD_OK);
    return structkd_global_structural_sample(&kContext, &logits, &labels, &params, nowhere(),
                                             &indices, &counts);
  });
  ASSERT_EQ(sampling.status, STRUCTKD_OK) << structkd_last_error();
  EXPECT_GE(sampling.workspace, (uint64_t(1) << 31) * sizeof(int32_t));
  EXPECT_EQ(sampling.blocks.at("select_block_per_stratum_kernel"), 8u * 19u);
}

TEST(FarElements, GlobalStructural) { expect_same_bits_far_apart(params_of(int64_t(3))); }

}  // namespace
}  // namespace structkd::test
