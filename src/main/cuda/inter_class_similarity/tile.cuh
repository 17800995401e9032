// cuda/inter_class_similarity/tile.cuh: a tile of classes x pixels between a map and shared memory.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TILE_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TILE_CUH

#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"

namespace structkd::cuda {
namespace {

// The share of a tile that a warp moves: 32 pixels, lane by lane, of every row_step-th class, and
// the same every segment_step * 32 pixels. A warp reads and writes 128 bytes in a row (f32) of a
// map of planes; of a channels-last map it touches whole pixels, whose other classes the first
// cache keeps for it.
template <int Warps>
struct TileShare {
  int segment, segment_step, segments;
  int row, row_step;

  __device__ __forceinline__ explicit TileShare(int pixels) {
    const int warp = int(threadIdx.x) / kWarp;
    segments = (pixels + kWarp - 1) / kWarp;
    segment_step = Warps;
    row_step = segments < Warps ? Warps / segments : 1;
    row = warp / segments % row_step;
    segment = warp < segments * row_step ? warp % segments : segments;  // too many warps: nothing
    if (segments >= Warps) segment = warp;
  }
};

// True if pixel n exists and is not ignored.
__device__ __forceinline__ bool is_valid(
    const Plane& mask, int64_t b, int64_t n, int64_t N, int64_t W) {
  return n < N && (mask.data == nullptr || plane_at<int>(mask, b, n, W) != 0);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TILE_CUH
