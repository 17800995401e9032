// src/test/cuda/memory_count/channelwise.cpp: the channel-wise loss.
#include "channelwise_cases.h"
#include "memory_count/memory_count.h"

namespace structkd::test {
namespace {

// Both nets twice, once more where they are close; of each part five sums, and two more then. Every
// block reads the sums of all parts of its channel.
void expect_channelwise(const Maps& maps,
                        double parts,
                        bool close,
                        const TestTensor* mask = nullptr) {
  const double elements = double(maps.student.elements());
  const double channels = double(maps.student.view()->sizes[1]), units = channels * parts;
  const double sums = 20 * units, excess = close ? 8 * units : 0, values = 8 * channels;
  structkd_channelwise_params params = channelwise_params(close ? 4.0 : 0.1);
  if (mask != nullptr) params.mask = mask->view();
  compute(kEmulated, maps.student, maps.teacher, params, like(maps.student));
  const double valid = mask != nullptr ? elements / channels : 0, image = mask != nullptr ? 8 : 0;
  std::vector<Promise> expected = {
      {"channelwise_sums_kernel", 8 * elements + valid, sums},
      {"channelwise_excess_kernel", sums + (close ? 8 * elements + valid : 0), excess,
       close ? 4.0 : kNoStream},
      {"channelwise_grad_kernel", 8 * elements + valid + image + sums + excess,
       4 * elements + values},
      {"channelwise_sum_kernel", values + image, 4, kNoStream}};
  if (mask != nullptr) {
    expected.push_back({"count_valid_positions_kernel", valid, image, kNoStream});
  }
  expect_counts(expected);
}

TEST_F(MemoryCount, ChannelwiseWarps) { expect_channelwise(Maps(8, 8, 16, 32), 1, false); }

TEST_F(MemoryCount, ChannelwiseParts) { expect_channelwise(Maps(3, 3, 64, 128), 2, false); }

TEST_F(MemoryCount, ChannelwiseClose) {
  const Layout planes = Layout::kContiguous;
  expect_channelwise(Maps(3, 3, 64, 128, STRUCTKD_F32, planes, Input::kNearlyEqual), 2, true);
}

TEST_F(MemoryCount, ChannelwiseMasked) {
  TestTensor mask({1, 64, 128}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return double(i % 5 != 0); });
  expect_channelwise(Maps(3, 3, 64, 128), 2, false, &mask);
}

}  // namespace
}  // namespace structkd::test
