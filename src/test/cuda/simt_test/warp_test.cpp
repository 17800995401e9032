// simt_test/warp_test.cpp: shuffles and votes against CUDA's definitions.
#include <cmath>
#include <vector>

#include "run.h"

namespace simt_test {
namespace {

constexpr unsigned kAll = 0xffffffffu;

template <int Width>
__global__ void shuffles_kernel(int* out) {  // [32, 4]
  const int lane = int(threadIdx.x);
  out[4 * lane] = __shfl_sync(kAll, lane, 5, Width);
  out[4 * lane + 1] = __shfl_up_sync(kAll, lane, 3, Width);
  out[4 * lane + 2] = __shfl_down_sync(kAll, lane, 3, Width);
  out[4 * lane + 3] = __shfl_xor_sync(kAll, lane, 6, Width);
}

template <int Width>
void expect_shuffles() {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<int> out(32 * 4);
    run<shuffles_kernel<Width>>(dim3(1), dim3(32), 0, out.data());
    for (int lane = 0; lane < 32; ++lane) {
      const int begin = lane / Width * Width, end = begin + Width;
      EXPECT_EQ(out[4 * lane], begin + 5 % Width);
      EXPECT_EQ(out[4 * lane + 1], lane - 3 >= begin ? lane - 3 : lane);
      EXPECT_EQ(out[4 * lane + 2], lane + 3 < end ? lane + 3 : lane);
      EXPECT_EQ(out[4 * lane + 3], (lane ^ 6) < end ? lane ^ 6 : lane);
    }
  }
}

TEST(Warp, ShufflesWithinSegments) {
  expect_shuffles<32>();
  expect_shuffles<16>();
  expect_shuffles<8>();
  expect_shuffles<4>();
}

template <class T>
__global__ void types_kernel(T* out) {
  T value = T(threadIdx.x) / 4;
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  out[threadIdx.x] = value;
}

TEST(Warp, ShufflesEachType) {
  std::vector<float> f(64);
  run<types_kernel<float>>(dim3(1), dim3(64), 0, f.data());
  std::vector<double> d(64);
  run<types_kernel<double>>(dim3(1), dim3(64), 0, d.data());
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(f[i], i < 32 ? 124 : 380);
    EXPECT_EQ(d[i], i < 32 ? 124 : 380);
  }
}

__global__ void halves_kernel(int* out) {
  const int lane = int(threadIdx.x);
  // Two halves of a warp in different collectives at once, each with its own mask.
  if (lane < 16) {
    out[lane] = __shfl_xor_sync(0xffffu, lane, 1);
  } else {
    out[lane] = __shfl_down_sync(0xffff0000u, lane, 1);
  }
}

TEST(Warp, HalvesMayDivergeWithTheirMasks) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<int> out(32);
    run<halves_kernel>(dim3(1), dim3(32), 0, out.data());
    for (int lane = 0; lane < 16; ++lane) EXPECT_EQ(out[lane], lane ^ 1);
    for (int lane = 16; lane < 31; ++lane) EXPECT_EQ(out[lane], lane + 1);
  }
}

__global__ void votes_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x % 32;
  unsigned* const mine = out + 4 * threadIdx.x;
  mine[0] = __ballot_sync(kAll, lane % 3 == 0);
  mine[1] = unsigned(__any_sync(kAll, lane == 4));
  mine[2] = unsigned(__all_sync(kAll, lane < 32));
  mine[3] = unsigned(__all_sync(kAll, lane != 4));
}

TEST(Warp, VotesOfFullAndPartialWarps) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<unsigned> out(4 * 45);
    run<votes_kernel>(dim3(1), dim3(45), 0, out.data());
    for (int t = 0; t < 45; ++t) {
      EXPECT_EQ(out[4 * t], t < 32 ? 0x49249249u : 0x1249u);
      EXPECT_EQ(out[4 * t + 1], 1u);
      EXPECT_EQ(out[4 * t + 2], 1u);
      EXPECT_EQ(out[4 * t + 3], 0u);
    }
  }
}

__global__ void outside_kernel(float* f, int* i) {
  f[threadIdx.x] = __shfl_down_sync(0xffffu, 1.0f, 8);
  i[threadIdx.x] = __shfl_sync(0xffffu, 1, 31);
}

TEST(Warp, ValuesOfLanesOutsideTheMaskArePoison) {
  std::vector<float> f(16);
  std::vector<int> i(16);
  run<outside_kernel>(dim3(1), dim3(16), 0, f.data(), i.data());
  for (int lane = 0; lane < 16; ++lane) {
    EXPECT_EQ(std::isnan(f[lane]), lane >= 8);
    EXPECT_EQ(i[lane], -1);
  }
}

template <class T>
__global__ void neighbours_kernel(T* out) {
  STRUCTKD_SHARED(T, values, [32]);
  values[threadIdx.x] = T(threadIdx.x);
  __syncwarp();
  out[threadIdx.x] = values[31 - threadIdx.x];
  __syncwarp();
  values[threadIdx.x] = out[threadIdx.x] * 2;
  __syncwarp();
  out[threadIdx.x] = values[31 - threadIdx.x];
}

TEST(Warp, SyncwarpOrdersSharedMemory) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<float> out(32);
    run<neighbours_kernel<float>>(dim3(1), dim3(32), 0, out.data());
    for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], 2 * i);
  }
}

}  // namespace
}  // namespace simt_test
