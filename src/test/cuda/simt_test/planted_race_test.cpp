// simt_test/planted_race_test.cpp: races that ThreadSanitizer must find, within a block and between
// blocks, and order that it must see.
#ifdef __SANITIZE_THREAD__

#include <string>
#include <vector>

#include "cuda/common/arrival.cuh"
#include "planted_kernels.h"
#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

// libtsan prints what it finds and lets the process end with this status.
constexpr int kRaceStatus = 66;

#define EXPECT_RACE(statement, text) \
  EXPECT_EXIT((statement, exit(0)), testing::ExitedWithCode(kRaceStatus), text)
#define EXPECT_NO_RACE(statement) EXPECT_EXIT((statement, exit(0)), testing::ExitedWithCode(0), "")

template <class T, Barriers B>
void run_reverse() {
  std::vector<T> out(64);
  run<reverse_twice_kernel<T, B>>(dim3(1), dim3(64), 0, out.data());
}

TEST(PlantedRaceDeathTest, MissingBarrier) {
  // Both lines are named.
  const std::string access = "of size [48] at(.|\n)*planted_kernels.h:[0-9]+(.|\n)*";
  const std::string race = "data race(.|\n)*" + access + "Previous (read|write) " + access;
  EXPECT_NO_RACE((run_reverse<float, Barriers::kBoth>()));
  EXPECT_RACE((run_reverse<float, Barriers::kNoneBeforeReads>()), race);
  EXPECT_RACE((run_reverse<double, Barriers::kNoneAfterReads>()), race);
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

// With blocks between them, whose threads could have taken the identities of the first.
__global__ void first_and_last_kernel(float* out) {
  if (threadIdx.x == 0 && (blockIdx.x == 0 || blockIdx.x == gridDim.x - 1)) out[0] += 1.0f;
}

void run_first_and_last() {
  float out = 0;
  run<first_and_last_kernel>(dim3(4), dim3(256), 0, &out);
}

TEST(PlantedRaceDeathTest, BlocksFarApart) {
  EXPECT_RACE(run_first_and_last(), "data race(.|\n)*first_and_last_kernel");
}

// The block that ends last reads what all others wrote: by a count that orders memory.
enum class Count { kArrival, kRelaxed };

template <Count C>
__global__ void last_block_sums_kernel(float* parts, uint32_t* counter, float* sum) {
  STRUCTKD_SHARED(uint32_t, relaxed, [1]);
  if (threadIdx.x == 1) parts[blockIdx.x] = float(1 + blockIdx.x);
  bool last;
  if (C == Count::kArrival) {
    last = arrives_last(counter, gridDim.x);
  } else {
    __syncthreads();
    if (threadIdx.x == 0) relaxed[0] = atomicAdd(counter, 1u);
    __syncthreads();
    last = relaxed[0] == gridDim.x - 1;
  }
  if (!last || threadIdx.x != 2) return;
  for (unsigned b = 0; b < gridDim.x; ++b) *sum += parts[b];
}

template <Count C>
void run_last_block_sums() {
  std::vector<float> parts(5);
  uint32_t counter = 0;
  float sum = 0;
  run<last_block_sums_kernel<C>>(dim3(5), dim3(64), 0, parts.data(), &counter, &sum);
  if (sum != 15.0f) exit(1);
}

TEST(PlantedRaceDeathTest, LastBlockReadsWhatOthersWrote) {
  EXPECT_NO_RACE(run_last_block_sums<Count::kArrival>());
  EXPECT_RACE(run_last_block_sums<Count::kRelaxed>(), "data race(.|\n)*last_block_sums_kernel");
}

// Later blocks read what the first one wrote: by a wait that orders memory.
template <Count C>
__global__ void first_block_writes_kernel(float* first, uint32_t* counters, float* copies) {
  const uint32_t ticket = take_ticket(&counters[0]);
  if (ticket == 0) {
    if (threadIdx.x == 1) *first = 7.0f;
    arrive(&counters[1]);
    return;
  }
  if (C == Count::kArrival) {
    await_arrivals(&counters[1], 1);
  } else {
    if (threadIdx.x == 0) atomicAdd(&counters[1], 0u);
    __syncthreads();
  }
  if (threadIdx.x == 2) copies[ticket] = *first;
}

template <Count C>
void run_first_block_writes() {
  std::vector<float> copies(4);
  uint32_t counters[2] = {};
  float first = 0;
  run<first_block_writes_kernel<C>>(dim3(4), dim3(64), 0, &first, counters, copies.data());
  if (copies != std::vector<float>{0, 7, 7, 7}) exit(1);
}

TEST(PlantedRaceDeathTest, BlocksReadWhatTheyWaitedFor) {
  OrderScope order("reverse");
  EXPECT_NO_RACE(run_first_block_writes<Count::kArrival>());
  EXPECT_RACE(run_first_block_writes<Count::kRelaxed>(),
              "data race(.|\n)*first_block_writes_kernel");
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

}  // namespace
}  // namespace simt_test

#endif
