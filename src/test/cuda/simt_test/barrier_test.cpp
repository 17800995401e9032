// simt_test/barrier_test.cpp: barriers, shared memory, atomics and launches do what CUDA says.
#include <thread>
#include <vector>

#include "cuda/common/reduce.cuh"
#include "run.h"

namespace simt_test {
namespace {

__global__ void place_kernel(int* out) {
  const dim3 g = gridDim, b = blockDim;
  const unsigned block = (blockIdx.z * g.y + blockIdx.y) * g.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * b.y + threadIdx.y) * b.x + threadIdx.x;
  out[block * b.x * b.y * b.z + thread] += int(block * 1000 + thread);
}

TEST(Launch, EachThreadOfEachBlockRunsOnce) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    const dim3 grid(3, 2, 5), block(7, 3, 2);
    std::vector<int> out(30 * 42);
    run<place_kernel>(grid, block, 0, out.data());
    for (int i = 0; i < int(out.size()); ++i) ASSERT_EQ(out[i], i / 42 * 1000 + i % 42) << order;
  }
}

__global__ void arguments_kernel(double* out, float by_value, const int* p, long long wide) {
  by_value += float(threadIdx.x);  // parameters are each thread's own
  out[threadIdx.x] = double(by_value) + *p + double(wide);
}

TEST(Launch, ArgumentsAreConvertedAndCopiedForEachThread) {
  std::vector<double> out(40);
  const int number = 7;
  run<arguments_kernel>(dim3(1), dim3(40), 0, out.data(), 0.5, &number, 3);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(out[i], 10.5 + i);
}

__global__ void empty_kernel() {}

TEST(Launch, RefusesWhatADeviceRefuses) {
  const auto status = [](dim3 grid, dim3 block, size_t shared_bytes) {
    STRUCTKD_ENQUEUE(empty_kernel, grid, block, shared_bytes, nullptr);
    return cudaGetLastError();
  };
  EXPECT_EQ(status(dim3(1), dim3(1024), 227 << 10), cudaSuccess);
  EXPECT_EQ(status(dim3(0), dim3(32), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(status(dim3(1, 65536), dim3(32), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(status(dim3(1), dim3(0), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(status(dim3(1), dim3(1025), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(status(dim3(1), dim3(1, 1, 65), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(status(dim3(1), dim3(32), (227 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(status(dim3(1), dim3(32), 0), cudaSuccess);  // told once
}

template <class T>
__global__ void reverse_kernel(T* data) {
  STRUCTKD_SHARED(T, tile, [96]);
  STRUCTKD_DYNAMIC_SHARED(T, copy);
  for (int round = 0; round < 3; ++round) {
    tile[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    copy[threadIdx.x] = tile[95 - threadIdx.x];
    __syncthreads();
    data[threadIdx.x] = copy[threadIdx.x];
  }
}

TEST(Barrier, OrdersSharedMemory) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<double> data(96);
    for (int i = 0; i < 96; ++i) data[i] = i;
    run<reverse_kernel<double>>(dim3(1), dim3(96), 96 * sizeof(double), data.data());
    for (int i = 0; i < 96; ++i) EXPECT_EQ(data[i], 95 - i);
  }
}

__global__ void votes_kernel(int* out) {
  const int t = int(threadIdx.x);
  out[4 * t] = __syncthreads_count(t % 3 == 0);
  out[4 * t + 1] = __syncthreads_or(t == 69) != 0;
  out[4 * t + 2] = __syncthreads_and(t < 70) != 0;
  out[4 * t + 3] = __syncthreads_and(t < 69) != 0;
}

TEST(Barrier, CountsVotes) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<int> out(4 * 70);
    run<votes_kernel>(dim3(1), dim3(70), 0, out.data());
    for (int t = 0; t < 70; ++t) {
      EXPECT_EQ(out[4 * t], 24);
      EXPECT_EQ(out[4 * t + 1], 1);
      EXPECT_EQ(out[4 * t + 2], 1);
      EXPECT_EQ(out[4 * t + 3], 0);
    }
  }
}

__global__ void early_exit_kernel(int* out) {
  STRUCTKD_SHARED(int, sum, [1]);
  if (threadIdx.x >= 40) return;
  if (threadIdx.x == 0) sum[0] = 0;
  __syncthreads();
  atomicAdd(&sum[0], int(threadIdx.x));
  __syncthreads();
  out[threadIdx.x] = sum[0];
}

TEST(Barrier, DoesNotWaitForExitedThreads) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<int> out(40);
    run<early_exit_kernel>(dim3(1), dim3(64), 0, out.data());
    for (int value : out) EXPECT_EQ(value, 39 * 40 / 2);
  }
}

template <int Threads>
__global__ void block_sum_kernel(double* out) {
  const double a = structkd::cuda::block_sum<Threads>(double(threadIdx.x));
  const float b = structkd::cuda::block_sum<Threads>(float(blockIdx.x));
  if (threadIdx.x == 0) out[blockIdx.x] = a + b;
}

TEST(Barrier, BlockSumMayBeCalledAgainAtOnce) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    std::vector<double> out(3);
    run<block_sum_kernel<128>>(dim3(3), dim3(128), 0, out.data());
    for (int b = 0; b < 3; ++b) EXPECT_EQ(out[b], 127 * 64 + 128 * b);
  }
}

__global__ void atomics_kernel(int* i, unsigned long long* u, float* f, unsigned* owner) {
  const int t = int(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&i[0], t);
  atomicSub(&i[1], 1);
  atomicMax(&i[2], t);
  atomicMin(&i[3], -t);
  atomicOr(&i[4], 1 << t % 8);
  atomicAnd(&i[5], ~(1 << t % 8));
  atomicAdd(u, 1ull << 40);
  atomicAdd(f, 0.5f);
  if (atomicCAS(&owner[0], 0u, 1u) == 0u) atomicExch(&owner[1], 7u);
}

TEST(Atomics, EachDoesItsOperation) {
  int i[6] = {0, 0, -1, 1, 0, 0x1ff};
  unsigned long long u = 0;
  float f = 0;
  unsigned owner[2] = {0, 0};
  run<atomics_kernel>(dim3(4), dim3(50), 0, i, &u, &f, owner);
  EXPECT_EQ(i[0], 199 * 100);
  EXPECT_EQ(i[1], -200);
  EXPECT_EQ(i[2], 199);
  EXPECT_EQ(i[3], -199);
  EXPECT_EQ(i[4], 0xff);
  EXPECT_EQ(i[5], 0x100);
  EXPECT_EQ(u, 200ull << 40);
  EXPECT_EQ(f, 100.0f);
  EXPECT_EQ(owner[0], 1u);
  EXPECT_EQ(owner[1], 7u);
}

TEST(Launch, HostThreadsExcludeEachOther) {
  std::vector<std::vector<double>> out(4, std::vector<double>(10));
  std::vector<std::thread> hosts;
  for (auto& mine : out) {
    hosts.emplace_back([&mine] {
      for (int i = 0; i < 10; ++i) run<block_sum_kernel<64>>(dim3(10), dim3(64), 0, mine.data());
    });
  }
  for (std::thread& host : hosts) host.join();
  for (const auto& mine : out) {
    for (int b = 0; b < 10; ++b) EXPECT_EQ(mine[b], 63 * 32 + 64 * b);
  }
}

TEST(Launch, KernelNamesAreThoseOfTheSource) {
  const auto text = [](const char* function) {
    const simt::KernelText name = simt::text_of({function});
    return std::string(name.begin, name.length);
  };
  EXPECT_EQ(text("void launch(A) [with auto Kernel = ns::{anonymous}::rows<float, V<2> >; A = {}]"),
            "ns::{anonymous}::rows<float, V<2> >");
  EXPECT_EQ(text("void f() [with auto Kernel = rows]"), "rows");
  EXPECT_EQ(text("int main()"), "int main()");
}

}  // namespace
}  // namespace simt_test
