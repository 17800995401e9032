// simt_test/planted_bugs_test.cpp: bugs that a plain build finds, by NaN in shared memory and by
// results that depend on the order of threads.
#ifndef __SANITIZE_THREAD__  // planted_race_test.cpp is for that

#include <cmath>
#include <vector>

#include "planted_kernels.h"
#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

// What the orders make of a kernel that should give the same result in each: how many differ from
// what is right, or hold NaN.
template <class Run, class T>
int wrong_orders(const std::vector<T>& expected, Run run_into) {
  int wrong = 0;
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<T> out(expected.size());
    run_into(out.data());
    wrong += out != expected;
  }
  return wrong;
}

__global__ void unwritten_kernel(float* out) {
  STRUCTKD_SHARED(float, tile, [2][32]);
  tile[0][threadIdx.x] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = tile[1][threadIdx.x];
}

template <bool Wait>
__global__ void async_copy_kernel(const float* in, float* out) {
  STRUCTKD_SHARED(float, tile, [32]);
  async_copy<4>(&tile[threadIdx.x], in + threadIdx.x);
  async_copy_commit();
  if (Wait) async_copy_wait<0>();
  __syncthreads();
  out[threadIdx.x] = tile[31 - threadIdx.x];
  __syncthreads();
  if (!Wait) async_copy_wait<0>();  // too late
}

template <class T>
std::vector<T> twice_reversed() {
  std::vector<T> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = T(i + 2);
  return expected;
}

template <class T, Barriers B>
int wrong_orders_of_reverse() {
  return wrong_orders(twice_reversed<T>(),
                      [](T* out) { run<reverse_twice_kernel<T, B>>(dim3(1), dim3(64), 0, out); });
}

TEST(PlantedBug, NoneIsFoundInASoundKernel) {
  EXPECT_EQ((wrong_orders_of_reverse<float, Barriers::kBoth>()), 0);
}

TEST(PlantedBug, MissingBarrierBeforeReads) {
  EXPECT_GT((wrong_orders_of_reverse<float, Barriers::kNoneBeforeReads>()), 0);
  EXPECT_GT((wrong_orders_of_reverse<int, Barriers::kNoneBeforeReads>()), 0);
}

TEST(PlantedBug, MissingBarrierBeforeReadsInAPlainKernel) {
  std::vector<float> out(64);
  run<plain_reverse_kernel>(dim3(1), dim3(64), 0, out.data());
  EXPECT_TRUE(std::isnan(out[0]));
}

TEST(PlantedBug, MissingBarrierAfterReads) {
  EXPECT_GT((wrong_orders_of_reverse<double, Barriers::kNoneAfterReads>()), 0);
}

TEST(PlantedBug, SharedMemoryReadBeforeItIsWritten) {
  std::vector<float> out(32);
  // In the second block, too: nothing of the first is left.
  run<unwritten_kernel>(dim3(2), dim3(32), 0, out.data());
  for (float value : out) EXPECT_TRUE(std::isnan(value));
}

TEST(PlantedBug, MissingAsyncCopyWait) {
  std::vector<float> in(32, 1.0f), out(32);
  run<async_copy_kernel<true>>(dim3(1), dim3(32), 0, in.data(), out.data());
  EXPECT_EQ(out, in);
  run<async_copy_kernel<false>>(dim3(1), dim3(32), 0, in.data(), out.data());
  for (float value : out) EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace simt_test

#endif
