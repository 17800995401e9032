// simt_test/async_copy_test.cpp: copies arrive with the wait for their group, not before.
#include <cmath>
#include <vector>

#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

template <int Bytes>
__global__ void copy_kernel(const uint32_t* in, uint32_t* out) {
  STRUCTKD_SHARED(uint4, staged, [64 * Bytes / 16]);
  constexpr int kWords = Bytes / 4;
  uint32_t* const words = reinterpret_cast<uint32_t*>(staged);
  async_copy<Bytes>(words + kWords * threadIdx.x, in + kWords * threadIdx.x);
  async_copy_commit();
  async_copy_wait<0>();
  __syncthreads();
  for (int i = 0; i < kWords; ++i) {
    out[kWords * threadIdx.x + i] = words[kWords * (63 - threadIdx.x) + i];
  }
}

template <int Bytes>
void expect_copies() {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<uint4> in(64), out(64);
    uint32_t* const words = &in[0].x;
    for (uint32_t i = 0; i < 256; ++i) words[i] = i * 2654435761u;
    run<copy_kernel<Bytes>>(dim3(1), dim3(64), 0, words, &out[0].x);
    for (int t = 0; t < 64; ++t) {
      for (int i = 0; i < Bytes / 4; ++i) {
        EXPECT_EQ((&out[0].x)[t * Bytes / 4 + i], words[(63 - t) * Bytes / 4 + i]);
      }
    }
  }
}

TEST(AsyncCopy, CopiesFourEightAndSixteenBytes) {
  expect_copies<4>();
  expect_copies<8>();
  expect_copies<16>();
}

__global__ void pipeline_kernel(const float* in, float* out) {
  STRUCTKD_SHARED(float, stage, [3][32]);
  const int t = int(threadIdx.x);
  for (int i = 0; i < 3; ++i) {
    async_copy<4>(&stage[i][t], in + 32 * i + t);
    async_copy_commit();
  }
  async_copy_wait<2>();
  out[t] = stage[0][t];
  out[32 + t] = stage[1][t];  // too early
  async_copy_wait<1>();
  out[64 + t] = stage[1][t];
  async_copy_wait<0>();
  out[96 + t] = stage[2][t];
}

TEST(AsyncCopy, WaitsForAllButTheNewestGroups) {
  std::vector<float> in(96), out(128);
  for (int i = 0; i < 96; ++i) in[i] = float(i);
  run<pipeline_kernel>(dim3(1), dim3(32), 0, in.data(), out.data());
  for (int t = 0; t < 32; ++t) {
    EXPECT_EQ(out[t], t);
    EXPECT_TRUE(std::isnan(out[32 + t]));
    EXPECT_EQ(out[64 + t], 32 + t);
    EXPECT_EQ(out[96 + t], 64 + t);
  }
}

}  // namespace
}  // namespace simt_test
