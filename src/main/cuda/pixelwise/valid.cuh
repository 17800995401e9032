// cuda/pixelwise/valid.cuh: how many pixels a mask leaves, counted on the device. Whoever divides
// by it adds the counts of all blocks.
#ifndef STRUCTKD_CUDA_PIXELWISE_VALID_CUH
#define STRUCTKD_CUDA_PIXELWISE_VALID_CUH

#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"

namespace structkd::cuda {
namespace {

// The blocks that count: enough to fill every device, few enough to be added by one warp.
constexpr int kCountBlocks = 128, kCountThreads = 256;

// Bytes of a word that are not 0.
__device__ __forceinline__ int bytes_set(uint32_t word) {
  return __popc((((word & 0x7f7f7f7fu) + 0x7f7f7f7fu) | word) & 0x80808080u);
}

// Block i counts the valid pixels of the i-th of kCountBlocks pieces of the batch. `dense`: the
// mask is one run of bytes, aligned to 16.
__global__ __launch_bounds__(kCountThreads) void count_valid_pixels_kernel(
    Plane mask, int64_t images, int64_t pixels, int64_t width, bool dense, int64_t* counts) {
  const int64_t total = images * pixels;
  int64_t piece = divide_up(total, kCountBlocks);
  piece = divide_up(piece, 16) * 16;
  const int64_t begin = int64_t(blockIdx.x) * piece;
  const int64_t end = begin + piece < total ? begin + piece : total;
  int64_t count = 0, done = begin;
  if (dense && begin < end) {
    const uint4* words =
        reinterpret_cast<const uint4*>(static_cast<const uint8_t*>(mask.data) + begin);
    const int64_t whole = (end - begin) / 16;
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < whole; i += kCountThreads) {
      const uint4 word = words[i];
      count += bytes_set(word.x) + bytes_set(word.y) + bytes_set(word.z) + bytes_set(word.w);
    }
    done = begin + whole * 16;
  }
  for (int64_t i = done + threadIdx.x; i < end; i += kCountThreads) {
    count += plane_at<int>(mask, i / pixels, i % pixels, width) != 0;
  }
  count = block_sum<kCountThreads>(count);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

// The sum of the counts, the same in every lane. All 32 lanes must call.
__device__ __forceinline__ int64_t sum_of_counts(const int64_t* counts) {
  int64_t count = 0;
  for (int i = int(threadIdx.x) % kWarp; i < kCountBlocks; i += kWarp) count += counts[i];
  return warp_sum(count);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_VALID_CUH
