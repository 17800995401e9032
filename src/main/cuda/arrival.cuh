// cuda/arrival.cuh: work for the block that ends last, in the launch of those that it needs.
//
// No block waits: the last one to arrive goes on, the others leave. What it reads and in which
// order it adds does not depend on which block that is, so equal inputs give equal bits.
#ifndef STRUCTKD_CUDA_ARRIVAL_CUH
#define STRUCTKD_CUDA_ARRIVAL_CUH

#include "cuda/device.cuh"

namespace structkd::cuda {
namespace {

// True in all threads of the block that is the last of `blocks` to call with this counter, which a
// launch before has set to 0. What any of these blocks wrote before its call, that block may read.
__device__ __forceinline__ bool arrives_last(uint32_t* counter, uint32_t blocks) {
  STRUCTKD_SHARED(uint32_t, earlier, [1]);
  __syncthreads();  // all threads have written; the last call's readers are done
  if (threadIdx.x == 0) earlier[0] = count_arrival(counter);
  __syncthreads();
  return earlier[0] == blocks - 1;
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_ARRIVAL_CUH
