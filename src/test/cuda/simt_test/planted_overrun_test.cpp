// simt_test/planted_overrun_test.cpp: accesses that AddressSanitizer or UBSan must find, where the
// build has them.
#include <vector>

#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

#ifdef __SANITIZE_ADDRESS__

template <class T>
__global__ void past_static_kernel(T* out, int i) {
  STRUCTKD_SHARED(T, tile, [33]);
  T* const p = tile;
  p[threadIdx.x] = T(1);
  __syncthreads();
  out[threadIdx.x] = p[int(threadIdx.x) + i];
}
__global__ void past_plain_static_kernel(float* out, int i) {
  STRUCTKD_SHARED(float, tile, [33]);
  float* const p = tile;
  p[threadIdx.x] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = p[int(threadIdx.x) + i];
}

TEST(PlantedBugDeathTest, ReadPastASharedArray) {
  std::vector<float> out(32);
  run<past_static_kernel<float>>(dim3(1), dim3(32), 0, out.data(), 1);
  EXPECT_DEATH((run<past_static_kernel<float>>(dim3(1), dim3(32), 0, out.data(), 2)),
               "AddressSanitizer: use-after-poison(.|\n)*past_static_kernel");
  EXPECT_DEATH((run<past_static_kernel<float>>(dim3(1), dim3(32), 0, out.data(), -2)),
               "AddressSanitizer: use-after-poison");
  EXPECT_DEATH((run<past_plain_static_kernel>(dim3(1), dim3(32), 0, out.data(), 2)),
               "AddressSanitizer: use-after-poison(.|\n)*past_plain_static_kernel");
}

template <class T>
__global__ void dynamic_kernel(T* out) {
  STRUCTKD_DYNAMIC_SHARED(T, tile);
  tile[threadIdx.x] = T(1);
  __syncthreads();
  out[threadIdx.x] = tile[31 - threadIdx.x];
}

TEST(PlantedBugDeathTest, TooLittleDynamicSharedMemory) {
  std::vector<double> out(32);
  run<dynamic_kernel<double>>(dim3(1), dim3(32), 32 * sizeof(double), out.data());
  EXPECT_DEATH(
      (run<dynamic_kernel<double>>(dim3(1), dim3(32), 32 * sizeof(double) - 1, out.data())),
      "AddressSanitizer: use-after-poison(.|\n)*WRITE of size 8(.|\n)*dynamic_kernel");
}

TEST(PlantedBugDeathTest, WriteBehindAGlobalArray) {
  std::vector<double> out(31);
  EXPECT_DEATH((run<dynamic_kernel<double>>(dim3(1), dim3(32), 32 * sizeof(double), out.data())),
               "AddressSanitizer: heap-buffer-overflow(.|\n)*dynamic_kernel");
}

#endif  // __SANITIZE_ADDRESS__

#ifdef STRUCTKD_TEST_UNDEFINED

template <class T>
__global__ void inner_index_kernel(T* out, int i) {
  STRUCTKD_SHARED(T, tile, [4][8]);
  tile[threadIdx.x / 8][threadIdx.x % 8] = T(1);
  __syncthreads();
  out[threadIdx.x] = tile[0][i];
}

TEST(PlantedBugDeathTest, IndexPastAnInnerDimension) {
  std::vector<float> out(32);
  run<inner_index_kernel<float>>(dim3(1), dim3(32), 0, out.data(), 7);
  EXPECT_DEATH((run<inner_index_kernel<float>>(dim3(1), dim3(32), 0, out.data(), 8)),
               "runtime error: index 8 out of bounds for type");
}

__global__ void wider_access_kernel(float* out) {
  STRUCTKD_SHARED(float, tile, [32]);
  tile[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x < 8)
    reinterpret_cast<float4*>(out)[threadIdx.x] =
        reinterpret_cast<const float4*>(tile)[threadIdx.x];
}

TEST(PlantedBugDeathTest, WiderAccessThanTheTypeIsAlignedTo) {
  std::vector<float4> out(8);
  EXPECT_DEATH((run<wider_access_kernel>(dim3(1), dim3(32), 0, &out[0].x)),
               "runtime error: .*misaligned address");
}

#endif  // STRUCTKD_TEST_UNDEFINED

}  // namespace
}  // namespace simt_test
