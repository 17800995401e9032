// simt_test/planted_bugs_test.cpp: bugs that kernels can have, and that the means meant for each
// finds it: thread order and NaN in a plain build, AddressSanitizer, UBSan, ThreadSanitizer. A test
// whose means is not in this build is skipped.
//
// Each kernel is a template where the means could depend on it: g++ treats statics there
// differently.
#include <cmath>
#include <vector>

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

enum class Barriers { kBoth, kNoneBeforeReads, kNoneAfterReads };

template <class T, Barriers B>
__global__ void reverse_twice_kernel(T* out) {
  STRUCTKD_SHARED(T, tile, [64]);
  const int t = int(threadIdx.x);
  T value = T(t);
  for (int round = 0; round < 2; ++round) {
    tile[t] = value + T(1);
    if (B != Barriers::kNoneBeforeReads) __syncthreads();
    value = tile[63 - t];
    if (B != Barriers::kNoneAfterReads) __syncthreads();
  }
  out[t] = value;
}

// The same bug in a kernel that is no template.
__global__ void plain_reverse_kernel(float* out) {
  STRUCTKD_SHARED(float, tile, [64]);
  tile[threadIdx.x] = float(threadIdx.x);
  out[threadIdx.x] = tile[63 - threadIdx.x];
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

#ifndef __SANITIZE_THREAD__

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

#endif  // __SANITIZE_THREAD__

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

#ifdef __SANITIZE_THREAD__

// libtsan prints what it finds and lets the process end with this status.
constexpr int kRaceStatus = 66;

#define EXPECT_RACE(statement, text) \
  EXPECT_EXIT((statement, exit(0)), testing::ExitedWithCode(kRaceStatus), text)
#define EXPECT_NO_RACE(statement) EXPECT_EXIT((statement, exit(0)), testing::ExitedWithCode(0), "")

template <class T, Barriers B>
void run_reverse() {
  std::vector<T> out(64);
  run<reverse_twice_kernel<T, B>>(dim3(2), dim3(64), 0, out.data());
}

TEST(PlantedRaceDeathTest, MissingBarrier) {
  EXPECT_RACE((run_reverse<float, Barriers::kNoneBeforeReads>()),
              "WARNING: ThreadSanitizer: data race(.|\n)*"
              "Read of size 4(.|\n)*planted_bugs_test.cpp:[0-9]+(.|\n)*"
              "revious write of size 4(.|\n)*planted_bugs_test.cpp:[0-9]+");
  EXPECT_RACE((run_reverse<double, Barriers::kNoneAfterReads>()),
              "WARNING: ThreadSanitizer: data race(.|\n)*"
              "Write of size 8(.|\n)*planted_bugs_test.cpp:[0-9]+(.|\n)*"
              "revious read of size 8(.|\n)*planted_bugs_test.cpp:[0-9]+");
}

void run_plain_reverse() {
  std::vector<float> out(64);
  run<plain_reverse_kernel>(dim3(1), dim3(64), 0, out.data());
}

TEST(PlantedRaceDeathTest, MissingBarrierInAPlainKernel) {
  EXPECT_RACE(run_plain_reverse(), "data race(.|\n)*plain_reverse_kernel");
}

// A warp in step is not enough: shuffles order no memory.
template <bool Sync>
__global__ void warp_exchange_kernel(float* out) {
  STRUCTKD_SHARED(float, tile, [32]);
  tile[threadIdx.x] = __shfl_xor_sync(kFullWarp, 1.0f, 1);
  const float sum = __shfl_xor_sync(kFullWarp, 1.0f, 1);
  if (Sync) __syncwarp();
  out[threadIdx.x] = sum + tile[31 - threadIdx.x];
}

template <bool Sync>
void run_warp_exchange() {
  std::vector<float> out(32);
  run<warp_exchange_kernel<Sync>>(dim3(1), dim3(32), 0, out.data());
}

TEST(PlantedRaceDeathTest, ShuffleInsteadOfSyncwarp) {
  EXPECT_NO_RACE(run_warp_exchange<true>());
  EXPECT_RACE(run_warp_exchange<false>(), "data race(.|\n)*warp_exchange_kernel");
}

enum class Update { kAtomic, kPlain, kPlainBetweenBarriers };

template <class T, Update U>
__global__ void global_update_kernel(T* sum) {
  if (U == Update::kPlainBetweenBarriers) __syncthreads();
  if (threadIdx.x == 0) {
    if (U == Update::kAtomic) {
      atomicAdd(sum, T(1));
    } else {
      *sum += T(1);
    }
  }
  if (U == Update::kPlainBetweenBarriers) __syncthreads();
}

template <class T, Update U>
void run_global_update(int blocks) {
  T sum = 0;
  run<global_update_kernel<T, U>>(dim3(unsigned(blocks)), dim3(64), 0, &sum);
}

TEST(PlantedRaceDeathTest, BlocksUpdateGlobalMemoryWithoutAtomics) {
  EXPECT_NO_RACE((run_global_update<unsigned, Update::kAtomic>(3)));
  EXPECT_NO_RACE((run_global_update<float, Update::kPlain>(1)));
  EXPECT_RACE((run_global_update<float, Update::kPlain>(2)),
              "data race(.|\n)*global_update_kernel");
  EXPECT_RACE((run_global_update<float, Update::kPlainBetweenBarriers>(3)),
              "data race(.|\n)*global_update_kernel");
}

// Blocks far apart, after the ids of the first ones could have been used again.
__global__ void first_and_last_kernel(float* out) {
  if (threadIdx.x == 0 && (blockIdx.x == 0 || blockIdx.x == gridDim.x - 1)) out[0] += 1.0f;
}

void run_first_and_last() {
  float out = 0;
  run<first_and_last_kernel>(dim3(150), dim3(32), 0, &out);
}

TEST(PlantedRaceDeathTest, BlocksFarApart) {
  EXPECT_RACE(run_first_and_last(), "data race(.|\n)*first_and_last_kernel");
}

// What one launch wrote, the next may read.
void run_twice() {
  float sum = 0;
  for (int i = 0; i < 2; ++i)
    run<global_update_kernel<float, Update::kPlain>>(dim3(1), dim3(32), 0, &sum);
  EXPECT_EQ(sum, 2.0f);
}

TEST(PlantedRaceDeathTest, LaunchesAreOrdered) { EXPECT_NO_RACE(run_twice()); }

// The copy may land while the slower threads still read what was there.
template <bool Barrier>
__global__ void early_refill_kernel(const float* in, float* out) {
  STRUCTKD_SHARED(float, tile, [32]);
  const int t = int(threadIdx.x);
  tile[t] = 1.0f;
  __syncthreads();
  out[t] = tile[31 - t];
  if (Barrier) __syncthreads();
  async_copy<4>(&tile[t], in + t);
  async_copy_commit();
  __syncthreads();
  async_copy_wait<0>();
  __syncthreads();
  out[t] += tile[31 - t];
}

template <bool Barrier>
void run_early_refill() {
  std::vector<float> in(32), out(32);
  run<early_refill_kernel<Barrier>>(dim3(1), dim3(32), 0, in.data(), out.data());
}

TEST(PlantedRaceDeathTest, AsyncCopyIntoWhatIsStillRead) {
  EXPECT_NO_RACE(run_early_refill<true>());
  EXPECT_RACE(run_early_refill<false>(), "data race(.|\n)*early_refill_kernel");
}

#endif  // __SANITIZE_THREAD__

}  // namespace
}  // namespace simt_test
