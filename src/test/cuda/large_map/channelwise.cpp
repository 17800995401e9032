// src/test/cuda/large_map/channelwise.cpp: the channel-wise loss.
#include "channelwise_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, ChannelwiseGrowsWithTheParts) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, channelwise_params(), bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "channelwise_sums_kernel");
  expect_growth(small, large, "channelwise_grad_kernel");
  const uint64_t parts = 8 * 19 * (16384 / 64) * (16384 / 64);
  EXPECT_EQ(large.workspace, parts * (5 + 2) * sizeof(float) + 19 * 64);  // 8 values per channel
}

TEST(FarElements, Channelwise) { expect_same_bits_far_apart(channelwise_params(2.0)); }

}  // namespace
}  // namespace structkd::test
