// src/test/cuda/large_map/pixelwise.cpp: the pixel-wise loss.
#include "large_map/large_map.h"
#include "pixelwise_cases.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, PixelwiseGrowsWithThePixels) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, params_of(), bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "pixelwise_registers_kernel");
  EXPECT_EQ(large.workspace, kGrowth * small.workspace);  // a sum per block
}

TEST(FarElements, Pixelwise) { expect_same_bits_far_apart(params_of()); }

}  // namespace
}  // namespace structkd::test
