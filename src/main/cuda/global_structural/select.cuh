// cuda/global_structural/select.cuh: the smallest ranks of a set of pixels, by one block, exactly.
//
// A set answers holds(pixel) and rank(pixel); no two pixels share a rank. The block finds the rank
// that bounds the wanted number from above, eight bits at a time (radix selection: a pass over the
// pixels and a histogram per digit, until the bin that is cut needs no cutting), collects what lies
// below in pixel order, and sorts it.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SELECT_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SELECT_CUH

#include "core/sampling.h"
#include "cuda/common/reduce.cuh"

namespace structkd::cuda {
namespace {

constexpr int kSelectThreads =
    1024;  // a block passes over an image several times: as wide as it can be
constexpr int kSharedRanks = 2048;  // 16 KB: what a class gives is 8 to 800 samples in practice
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
static_assert(kDigits <= kSelectThreads, "a thread owns a bin of the histogram, or none");

// Gives all threads the value that one of them holds.
template <class T>
__device__ T broadcast_from(unsigned thread, T value) {
  STRUCTKD_SHARED(T, shared, [1]);
  __syncthreads();
  if (threadIdx.x == thread) shared[0] = value;
  __syncthreads();
  return shared[0];
}

template <class Set>
__device__ uint32_t count_held(const Set& set, uint32_t N) {
  uint32_t count = 0;
  for (uint32_t n = threadIdx.x; n < N; n += kSelectThreads) count += set.holds(n);
  return broadcast_from(0, block_sum<kSelectThreads>(count));
}

// Position of this thread's element among those that are taken, in thread order, plus `before`;
// `before` grows by their number, in all threads alike.
__device__ inline uint32_t compacted_position(bool taken, uint32_t& before) {
  STRUCTKD_SHARED(uint32_t, warp_counts, [kSelectThreads / kWarp]);
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const unsigned votes = __ballot_sync(kFullWarp, taken);
  __syncthreads();  // the counts of the last call have been read
  if (lane == 0) warp_counts[warp] = __popc(votes);
  __syncthreads();
  uint32_t position = before + __popc(votes & ((1u << lane) - 1));
  for (unsigned w = 0; w < kSelectThreads / kWarp; ++w) {
    if (w < warp) position += warp_counts[w];
    before += warp_counts[w];
  }
  return position;
}

// Sum of the values of this thread and all before it.
__device__ inline uint32_t scan_sum(uint32_t value) {
  STRUCTKD_SHARED(uint32_t, warp_sums, [kSelectThreads / kWarp]);
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (unsigned step = 1; step < kWarp; step *= 2) {
    const uint32_t other = __shfl_up_sync(kFullWarp, value, step);
    if (lane >= step) value += other;
  }
  __syncthreads();  // the sums of the last call have been read
  if (lane == kWarp - 1) warp_sums[warp] = value;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) value += warp_sums[w];
  return value;
}

// A rank r such that exactly `wanted` of the set's ranks are <= r; 0 < wanted < held.
template <class Set>
__device__ uint64_t selection_bound(const Set& set, uint32_t N, uint32_t wanted) {
  STRUCTKD_SHARED(uint32_t, histogram, [kDigits]);
  STRUCTKD_SHARED(uint32_t, chosen, [3]);
  uint64_t prefix = 0;  // the digits found so far
  uint32_t remaining = wanted;
  for (int shift = 64 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    if (threadIdx.x < kDigits) histogram[threadIdx.x] = 0;
    __syncthreads();
    for (uint32_t n = threadIdx.x; n < N; n += kSelectThreads) {
      if (!set.holds(n)) continue;
      const uint64_t rank = set.rank(n);
      const bool matches = shift == 64 - kDigitBits || (rank ^ prefix) >> (shift + kDigitBits) == 0;
      if (matches) atomicAdd(&histogram[rank >> shift & (kDigits - 1)], 1u);
    }
    __syncthreads();
    // The bin that holds the wanted rank: the ranks in and below it reach `remaining`.
    const uint32_t own = threadIdx.x < kDigits ? histogram[threadIdx.x] : 0;
    const uint32_t through = scan_sum(own);
    if (through >= remaining && through - own < remaining) {
      chosen[0] = threadIdx.x;
      chosen[1] = through - own;
      chosen[2] = own;
    }
    __syncthreads();
    prefix |= uint64_t(chosen[0]) << shift;
    remaining -= chosen[1];
    const bool whole_bin = remaining == chosen[2];
    __syncthreads();
    if (whole_bin) return prefix | ((uint64_t(1) << shift) - 1);
  }
  return prefix;  // all 64 bits: a single rank, hence a whole bin before; never reached
}

// Sorts numbers in ascending order; size is a power of two. They lie in shared or global memory,
// and only this block touches them.
__device__ inline void sort_ranks(uint64_t* ranks, uint32_t size) {
  for (uint32_t run = 2; run <= size && run != 0; run *= 2) {
    for (uint32_t distance = run / 2; distance > 0; distance /= 2) {
      __syncthreads();
      for (uint32_t k = threadIdx.x; k < size / 2; k += kSelectThreads) {
        // k with a 0 put in at the bit of `distance`.
        const uint32_t low = 2 * k - (k & (distance - 1)), high = low + distance;
        const bool ascending = (low & run) == 0;
        const uint64_t a = ranks[low], b = ranks[high];
        if ((a > b) == ascending) {
          ranks[low] = b;
          ranks[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

// pixels[0 .. wanted) = the set's pixels with the smallest ranks, ascending by rank. `ranks` has
// room for wanted, up to a power of two; in raster order ranks are pixels, and it is not used. All
// threads of the block call.
template <class Set>
__device__ void take_smallest(const Set& set,
                              bool raster,
                              uint32_t N,
                              uint32_t held,
                              uint32_t wanted,
                              uint64_t* ranks,
                              int32_t* pixels) {
  const uint64_t bound = raster || wanted == held ? ~uint64_t(0) : selection_bound(set, N, wanted);
  uint32_t taken = 0;
  for (uint32_t n0 = 0; n0 < N && taken < wanted; n0 += kSelectThreads) {
    const uint32_t n = n0 + threadIdx.x;
    const bool take = n < N && set.holds(n) && set.rank(n) <= bound;
    const uint32_t position = compacted_position(take, taken);
    if (!take || position >= wanted) continue;
    if (raster) {
      pixels[position] = int32_t(n);
    } else {
      ranks[position] = set.rank(n);
    }
  }
  if (raster) return;
  uint32_t padded = 1;
  while (padded < wanted) padded *= 2;
  for (uint32_t k = wanted + threadIdx.x; k < padded; k += kSelectThreads) ranks[k] = ~uint64_t(0);
  sort_ranks(ranks, padded);
  for (uint32_t k = threadIdx.x; k < wanted; k += kSelectThreads) {
    pixels[k] = int32_t(pixel_of_rank(ranks[k]));
  }
  __syncthreads();  // ranks may be used again
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SELECT_CUH
