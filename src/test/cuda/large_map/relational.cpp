// src/test/cuda/large_map/relational.cpp: the relational loss.
#include "large_map/large_map.h"
#include "relational_cases.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, RelationalTakesManyChannels) {
  const structkd_tensor map = tensor_of({16384, 1 << 18, 1, 1}, STRUCTKD_F32);  // 2^32 elements
  const Planned plan =
      planned([&](size_t* bytes) { return call(map, params_of(STRUCTKD_RELATION_ANGLE), bytes); });
  ASSERT_EQ(plan.status, STRUCTKD_OK) << structkd_last_error();
  const uint64_t chunks = 16384 / 128;
  EXPECT_EQ(plan.blocks.at("relational_angles_pair_per_thread_kernel"), 16384 * chunks);
  EXPECT_EQ(plan.blocks.at("relational_grad_element_per_thread_kernel"), (1 << 18) * chunks);
  EXPECT_GE(plan.workspace, (uint64_t(3) << 32) * sizeof(double));  // rows of both, and a gradient
}

TEST(FarElements, Relational) { expect_same_bits_far_apart(params_of(STRUCTKD_RELATION_ANGLE)); }

}  // namespace
}  // namespace structkd::test
