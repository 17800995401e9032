// cuda/common/arrival.cuh: blocks of one launch that go on with what others have made.
//
// Counters lie in global memory, and a launch before has set them to 0. Which block does what may
// differ from run to run; what it reads and in which order it adds does not, so equal inputs give
// equal bits.
#ifndef STRUCTKD_CUDA_COMMON_ARRIVAL_CUH
#define STRUCTKD_CUDA_COMMON_ARRIVAL_CUH

#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

// Counts the block. What it wrote before, those who wait for it or arrive later may read.
__device__ __forceinline__ void arrive(uint32_t* counter) {
  __syncthreads();  // all threads have written
  if (threadIdx.x == 0) count_arrival(counter);
}

// Counts the block likewise, and is true in all threads of the last of `blocks` blocks: nobody
// waits, the last one goes on and the others leave.
__device__ __forceinline__ bool arrives_last(uint32_t* counter, uint32_t blocks) {
  STRUCTKD_SHARED(uint32_t, earlier, [1]);
  __syncthreads();  // all threads have written; the last call's readers are done
  if (threadIdx.x == 0) earlier[0] = count_arrival(counter);
  __syncthreads();
  return earlier[0] == blocks - 1;
}

// The block's number in the order in which the blocks of a grid start; once per block. Blocks start
// in any order of blockIdx, so that of blockIdx alone nobody knows who runs already.
__device__ __forceinline__ uint32_t take_ticket(uint32_t* counter) {
  STRUCTKD_SHARED(uint32_t, ticket, [1]);
  if (threadIdx.x == 0) ticket[0] = atomicAdd(counter, 1u);
  __syncthreads();
  return ticket[0];
}

// Waits for `blocks` arrivals. Blocks with smaller tickets than the caller's run or have run, and
// if none of them waits for a larger one, all of them arrive: the wait ends however few blocks the
// device has room for.
__device__ __forceinline__ void await_arrivals(const uint32_t* counter, uint32_t blocks) {
  if (threadIdx.x == 0) wait_for_arrivals(counter, blocks);
  __syncthreads();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_ARRIVAL_CUH
