// src/test/cuda/large_map/inter_class_similarity.cpp: inter-class similarity.
#include "inter_class_similarity_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, InterClassSimilarityGrowsWithThePixels) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, params_of(1.0, false), bytes); });
  };
  // A multiple of every tile of pixels that the kernel may choose.
  const Planned small = run(tensor_of({1, 19, 96, 128}, STRUCTKD_F32));
  const Planned large = run(tensor_of({8, 19, 96 << 7, 128 << 7}, STRUCTKD_F32));
  expect_growth(small, large, "class_grad_kernel");
  EXPECT_LT(large.workspace, 4u << 20);  // K x K numbers, whatever the map
}

TEST(FarElements, InterClassSimilarity) { expect_same_bits_far_apart(params_of(1.0, false)); }

}  // namespace
}  // namespace structkd::test
