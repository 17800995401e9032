// simt_test/misuse_test.cpp: what hangs or is undefined on a device ends with a report here: the
// reason, the source line, who waits where.
#include <vector>

#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

constexpr unsigned kAll = 0xffffffffu;

// Each kernel stands on a line of its own, so that the reports' line numbers are known.
constexpr int kBarrierLine = __LINE__ + 2;
__global__ void divergent_barrier_kernel() {
  if (threadIdx.x < 16) __syncthreads();
  __shfl_sync(kAll, 1, 0);
}

TEST(MisuseDeathTest, BarrierInDivergentCode) {
  EXPECT_MISUSE((run<divergent_barrier_kernel>(dim3(2), dim3(48), 0)),
                "simt: deadlock(.|\n)*"
                "kernel .*divergent_barrier_kernel(.|\n)*"
                "block \\(0,0,0\\)(.|\n)*"
                "waiting in __syncthreads at .*misuse_test.cpp:" +
                    std::to_string(kBarrierLine) + ": threads 0-15\n(.|\n)*" +
                    "waiting in __shfl_sync, mask 0xffffffff, at .*misuse_test.cpp:" +
                    std::to_string(kBarrierLine + 1) + ": threads 16-31");
}

template <class T>
__global__ void two_barriers_kernel(T* out) {
  if (threadIdx.x % 32 < 8) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = T(1);
}

TEST(MisuseDeathTest, TwoBarriersInOneWarp) {
  std::vector<float> out(64);
  EXPECT_MISUSE((run<two_barriers_kernel<float>>(dim3(1), dim3(64), 0, out.data())),
                "simt: divergent __syncthreads: lanes of one warp are at ");
}

__global__ void missing_lanes_kernel(float* out) {
  float value = 1;
  if (threadIdx.x < 16) value = __shfl_xor_sync(kAll, value, 1);
  __syncthreads();
  out[threadIdx.x] = value;
}

TEST(MisuseDeathTest, MaskNamesLanesThatAreElsewhere) {
  std::vector<float> out(32);
  EXPECT_MISUSE((run<missing_lanes_kernel>(dim3(1), dim3(32), 0, out.data())),
                "simt: deadlock(.|\n)*waiting in __shfl_xor_sync, mask 0xffffffff, at "
                ".*: threads 0-15\n(.|\n)*__syncthreads at .*: threads 16-31");
}

template <class T>
__global__ void exited_lanes_kernel(T* out) {
  if (threadIdx.x >= 16) return;
  out[threadIdx.x] = __shfl_xor_sync(kAll, T(1), 1);
}

TEST(MisuseDeathTest, MaskNamesExitedLanes) {
  std::vector<double> out(32);
  {
    OrderScope order("reverse");
    EXPECT_MISUSE((run<exited_lanes_kernel<double>>(dim3(1), dim3(32), 0, out.data())),
                  "simt: __shfl_xor_sync at .*: mask 0xffffffff names exited lanes 0xffff0000"
                  "(.|\n)*exited: threads 16-31");
  }
  EXPECT_MISUSE((run<exited_lanes_kernel<double>>(dim3(1), dim3(32), 0, out.data())),
                "simt: lane 16 exits while other lanes wait for it in __shfl_xor_sync");
}

__global__ void foreign_mask_kernel(int* out) {
  out[threadIdx.x] = __shfl_sync(0xffffu, int(threadIdx.x), 0);
}

TEST(MisuseDeathTest, CallingLaneIsNotInTheMask) {
  std::vector<int> out(32);
  EXPECT_MISUSE((run<foreign_mask_kernel>(dim3(1), dim3(32), 0, out.data())),
                "the calling lane 16 is not in the mask 0x0000ffff");
}

__global__ void different_collectives_kernel(float* out) {
  float value = float(threadIdx.x);
  if (threadIdx.x < 16) {
    value = __shfl_xor_sync(kAll, value, 1);
  } else {
    value = __shfl_down_sync(kAll, value, 1);
  }
  out[threadIdx.x] = value;
}

TEST(MisuseDeathTest, LanesMeetInDifferentCollectives) {
  std::vector<float> out(32);
  EXPECT_MISUSE((run<different_collectives_kernel>(dim3(1), dim3(32), 0, out.data())),
                "divergent collectives: lanes of one warp are in __shfl_xor_sync and "
                "__shfl_down_sync");
}

__global__ void unawaited_copy_kernel(const float* in) {
  STRUCTKD_SHARED(float, tile, [32]);
  async_copy<4>(&tile[threadIdx.x], in + threadIdx.x);
  async_copy_commit();
}

TEST(MisuseDeathTest, CopyIsNeverWaitedFor) {
  std::vector<float> in(32);
  EXPECT_MISUSE((run<unawaited_copy_kernel>(dim3(1), dim3(32), 0, in.data())),
                "a thread exits with an async_copy that it has not waited for");
}

__global__ void unaligned_copy_kernel(const float* in) {
  STRUCTKD_SHARED(float4, tile, [8]);
  async_copy<16>(&tile[threadIdx.x], in + 4 * threadIdx.x);
}
__global__ void wrong_target_kernel(const float* in, float* out) { async_copy<4>(out, in); }

TEST(MisuseDeathTest, CopyIsUnalignedOrLeavesSharedMemory) {
  std::vector<float4> in(8);
  EXPECT_MISUSE((run<unaligned_copy_kernel>(dim3(1), dim3(4), 0, &in[0].y)),
                "16 bytes from .*, which is not aligned");
  EXPECT_MISUSE((run<wrong_target_kernel>(dim3(1), dim3(1), 0, &in[0].x, &in[1].x)),
                "the target is not shared memory");
}

template <class T, int Count>
__global__ void large_array_kernel(T* out) {
  STRUCTKD_SHARED(T, large, [Count]);
  out[0] = large[0];
}

TEST(MisuseDeathTest, TooMuchSharedMemory) {
  float out = 0;
  EXPECT_MISUSE((run<large_array_kernel<float, (48 << 8) + 1>>(dim3(1), dim3(1), 0, &out)),
                "49156 bytes of static and 0 of dynamic shared memory");
  EXPECT_MISUSE((run<large_array_kernel<float, 1024>>(dim3(1), dim3(1), 224 << 10, &out)),
                "4096 bytes of static and 229376 of dynamic shared memory");
}

__global__ void nothing_kernel() {}

TEST(MisuseDeathTest, UnknownOrder) {
  OrderScope order("sideways");
  EXPECT_MISUSE((run<nothing_kernel>(dim3(1), dim3(1), 0)),
                "STRUCTKD_SIMT_ORDER is \"sideways\", expected forward, reverse");
}

}  // namespace
}  // namespace simt_test
