// memory_tracer/memory_tracer_test.cpp: counts of small kernels that can be told by hand, and one
// that an independent cycle-level simulator of GPUs gave.
#include "memory_tracer/memory_tracer.h"

#include <gtest/gtest.h>

#include "cuda/common/device.cuh"
#include "memory.h"

namespace structkd::test {
namespace {

using memory_tracer::Traffic;
using memory_tracer::traffic_of;

// Elements of T that the tracer takes for global memory, all zero.
template <class T>
class Global {
 public:
  explicit Global(size_t count) : bytes_(count * sizeof(T)) {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_.data()[i] = 0;
  }
  T* get() { return reinterpret_cast<T*>(bytes_.data()); }

 private:
  AlignedBytes bytes_;
};

template <auto Kernel, class... Arguments>
Traffic count(dim3 grid, dim3 block, Arguments... arguments) {
  memory_tracer::reset();
  STRUCTKD_ENQUEUE(Kernel, grid, block, 0, nullptr, arguments...);
  return traffic_of("kernel");
}

template <class T>
__global__ void copy_kernel(const T* in, T* out, int stride, int offset) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  out[i] = in[i * stride + offset];
}

TEST(MemoryTracer, CountsSectorsOfStridedAndShiftedReads) {
  Global<float> in(8 * 256 + 8), out(256);
  const auto reads = [&](int stride, int offset) {
    const Traffic traffic =
        count<copy_kernel<float>>(dim3(2), dim3(128), in.get(), out.get(), stride, offset);
    EXPECT_EQ(traffic.launches, 1u);
    EXPECT_EQ(traffic.writes.requests, 8u);
    EXPECT_EQ(traffic.writes.sectors, 32u);
    EXPECT_EQ(traffic.writes.distinct_sectors, 32u);
    EXPECT_EQ(traffic.reads.requests, 8u);
    EXPECT_EQ(traffic.reads.fewest_sectors, stride == 0 ? 8u : 32u);
    return traffic.reads;
  };
  EXPECT_EQ(reads(1, 0).sectors_per_request(), 4.0);
  EXPECT_EQ(reads(1, 1).sectors_per_request(), 5.0);
  EXPECT_EQ(reads(1, 1).distinct_sectors, 33u);
  EXPECT_EQ(reads(2, 0).sectors_per_request(), 8.0);
  EXPECT_EQ(reads(8, 0).sectors_per_request(), 32.0);
  EXPECT_EQ(reads(0, 3).sectors_per_request(), 1.0);
  EXPECT_EQ(reads(0, 3).distinct_sectors, 1u);
}

struct alignas(16) Pack {
  uint16_t values[8];
};

template <class T>
void expect_one_access_of_each_lane() {
  Global<T> in(64), out(64);
  const Traffic traffic = count<copy_kernel<T>>(dim3(1), dim3(64), in.get(), out.get(), 1, 0);
  EXPECT_EQ(traffic.reads.requests, 2u);
  EXPECT_EQ(traffic.reads.sectors, 64 * sizeof(T) / 32);
  EXPECT_EQ(traffic.writes.requests, 2u);
  EXPECT_EQ(traffic.writes.sectors, 64 * sizeof(T) / 32);
}

TEST(MemoryTracer, VectorsAreOneAccess) {
  expect_one_access_of_each_lane<uint8_t>();
  expect_one_access_of_each_lane<uint16_t>();
  expect_one_access_of_each_lane<double>();
  expect_one_access_of_each_lane<float2>();
  expect_one_access_of_each_lane<float4>();
  expect_one_access_of_each_lane<uint4>();
  expect_one_access_of_each_lane<Pack>();
}

__global__ void sum_of_four_kernel(const float4* in, float* out) {
  const float4 v = in[threadIdx.x];
  out[threadIdx.x] = v.x + v.y + v.z + v.w;
}

TEST(MemoryTracer, VectorsAreOneAccessWhereElementsAreUsed) {
  Global<float4> in(32);
  Global<float> out(32);
  const Traffic traffic = count<sum_of_four_kernel>(dim3(1), dim3(32), in.get(), out.get());
  EXPECT_EQ(traffic.reads.requests, 1u);
  EXPECT_EQ(traffic.reads.sectors, 16u);
}

// The columns of a tile, Width elements wide, read by neighbouring lanes.
template <class T, int Width>
__global__ void column_kernel(T* out) {
  STRUCTKD_SHARED(T, tile, [32][Width]);
  for (int i = 0; i < 32; ++i) tile[i][threadIdx.x] = T();
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x][3];
}

template <class T, int Width>
memory_tracer::SharedTraffic column_traffic() {
  Global<T> out(32);
  const auto shared = count<column_kernel<T, Width>>(dim3(1), dim3(32), out.get()).shared;
  EXPECT_EQ(shared.requests, 33u);
  return shared;
}

TEST(MemoryTracer, CountsBankConflicts) {
  EXPECT_EQ((column_traffic<float, 32>().bank_conflicts), 31u);
  EXPECT_EQ((column_traffic<float, 33>().bank_conflicts), 0u);
  EXPECT_EQ((column_traffic<float, 33>().wavefronts), 33u);
  EXPECT_EQ((column_traffic<float, 34>().bank_conflicts), 1u);
  EXPECT_EQ((column_traffic<double, 32>().bank_conflicts), 30u);  // 15 by each half of the warp
  EXPECT_EQ((column_traffic<double, 33>().bank_conflicts), 0u);
  EXPECT_EQ((column_traffic<double, 33>().wavefronts), 66u);
  EXPECT_EQ((column_traffic<float4, 32>().bank_conflicts), 28u);  // 7 by each quarter
  EXPECT_EQ((column_traffic<float4, 33>().bank_conflicts), 0u);
}

__global__ void broadcast_kernel(uint16_t* out) {
  STRUCTKD_SHARED(uint16_t, row, [64]);
  row[threadIdx.x] = 1;  // two lanes to a word
  row[32 + threadIdx.x] = 1;
  __syncwarp();
  out[threadIdx.x] = row[5];
}

TEST(MemoryTracer, LanesShareWords) {
  Global<uint16_t> out(32);
  const Traffic traffic = count<broadcast_kernel>(dim3(1), dim3(32), out.get());
  EXPECT_EQ(traffic.shared.wavefronts, 3u);
  EXPECT_EQ(traffic.shared.bank_conflicts, 0u);
}

__global__ void histogram_kernel(unsigned* bins, const float* in) {
  STRUCTKD_SHARED(unsigned, local, [4]);
  if (threadIdx.x < 4) local[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&local[threadIdx.x % 4], in[threadIdx.x] < 1.0f ? 1u : 0u);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

TEST(MemoryTracer, CountsAtomicsApart) {
  Global<unsigned> bins(4);
  Global<float> in(64);
  const Traffic traffic = count<histogram_kernel>(dim3(2), dim3(64), bins.get(), in.get());
  EXPECT_EQ(bins.get()[2], 32u);
  EXPECT_EQ(traffic.atomics, 2u * 3);
  EXPECT_EQ(traffic.writes.requests, 0u);
}

__global__ void async_kernel(const float4* in, float4* out) {
  STRUCTKD_SHARED(float4, tile, [32]);
  structkd::cuda::async_copy<16>(&tile[threadIdx.x], in + threadIdx.x);
  structkd::cuda::async_copy_commit();
  structkd::cuda::async_copy_wait<0>();
  __syncthreads();
  out[threadIdx.x] = tile[31 - threadIdx.x];
}

TEST(MemoryTracer, CountsAsyncCopiesOnce) {
  Global<float4> in(32), out(32);
  const Traffic traffic = count<async_kernel>(dim3(1), dim3(32), in.get(), out.get());
  EXPECT_EQ(traffic.reads.requests, 1u);
  EXPECT_EQ(traffic.reads.sectors, 16u);
  EXPECT_EQ(traffic.shared.requests, 2u);
  EXPECT_EQ(traffic.shared.bank_conflicts, 0u);
}

// Dot products of rows, tile by tile. The simulator's counts at n = d = 64 are 63,488 bank
// conflicts with tiles 32 wide and none with 33.
template <int Width>
__global__ void gram_kernel(const float* x, float* out, int n, int d) {
  STRUCTKD_SHARED(float, a, [32][Width]);
  STRUCTKD_SHARED(float, b, [32][Width]);
  const int tx = int(threadIdx.x), ty = int(threadIdx.y);
  const int row = int(blockIdx.y) * 32, column = int(blockIdx.x) * 32;
  float sum[4] = {};
  for (int k0 = 0; k0 < d; k0 += 32) {
    for (int r = ty; r < 32; r += 8) {
      a[r][tx] = x[(row + r) * d + k0 + tx];
      b[r][tx] = x[(column + r) * d + k0 + tx];
    }
    __syncthreads();
    for (int k = 0; k < 32; ++k) {
      const float b_k = b[tx][k];
      for (int i = 0; i < 4; ++i) sum[i] += a[ty * 4 + i][k] * b_k;
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) out[(row + ty * 4 + i) * n + column + tx] = sum[i];
}

TEST(MemoryTracer, AgreesWithASimulator) {
  Global<float> x(64 * 64), out(64 * 64);
  const Traffic plain = count<gram_kernel<32>>(dim3(2, 2), dim3(32, 8), x.get(), out.get(), 64, 64);
  EXPECT_EQ(plain.shared.bank_conflicts, 63488u);
  const Traffic padded =
      count<gram_kernel<33>>(dim3(2, 2), dim3(32, 8), x.get(), out.get(), 64, 64);
  EXPECT_EQ(padded.shared.bank_conflicts, 0u);
  EXPECT_EQ(padded.reads.sectors_per_request(), 4.0);
  EXPECT_EQ(padded.reads.distinct_bytes(), 64u * 64 * 4);
}

TEST(MemoryTracer, PrintsLines) {
  Global<float> in(32), out(32);
  count<copy_kernel<float>>(dim3(1), dim3(32), in.get(), out.get(), 1, 0);
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  memory_tracer::print_sites(file);
  fclose(file);
  EXPECT_NE(std::string(text).find("copy_kernel"), std::string::npos) << text;
  EXPECT_NE(std::string(text).find("global read"), std::string::npos) << text;
  free(text);
}

}  // namespace
}  // namespace structkd::test
