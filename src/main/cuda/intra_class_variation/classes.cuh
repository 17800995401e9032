// cuda/intra_class_variation/classes.cuh: the positions of an image in the order of their classes.
#ifndef STRUCTKD_CUDA_INTRA_CLASS_VARIATION_CLASSES_CUH
#define STRUCTKD_CUDA_INTRA_CLASS_VARIATION_CLASSES_CUH

#include "core/intra_class_variation_args.h"
#include "core/workspace.h"
#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"

namespace structkd::cuda {
namespace {

constexpr int kListThreads = 256;

// Tables of all images. Sorted by class, the positions of an image are cut into chunks of
// kChunkPositions, and a chunk into a segment for each class that it has: the segment of chunk i
// and class k is number i + k of its image, since from one segment to the next one of them grows.
struct Classes {
  static constexpr int64_t kChunkPositions = 256;

  int64_t B, N, K, chunks;
  int32_t* of;           // [B, N] the class of a position, or -1
  int32_t* order;        // [B, N] positions, those of a class in their own order
  int32_t* begin;        // [B, K + 1] where a class begins there; at K the number of all
  int64_t* valid_parts;  // [parts] valid positions of each block that finds classes, or nullptr
  int64_t* valid;        // [1] or nullptr: every position is valid

  Classes(const IntraClassVariationArgs& args, Workspace& workspace)
      : B(args.student.B),
        N(args.student.H * args.student.W),
        K(args.classes),
        chunks(divide_up(N, kChunkPositions)),
        of(workspace.take<int32_t>(B * N)),
        order(workspace.take<int32_t>(B * N)),
        begin(workspace.take<int32_t>(B * (K + 1))) {
    const bool masked = args.mask.data != nullptr;
    valid_parts = masked ? workspace.take<int64_t>(parts()) : nullptr;
    valid = masked ? workspace.take<int64_t>(1) : nullptr;
  }

  __device__ __host__ int64_t parts() const { return divide_up(B * N, kListThreads); }
  __device__ __host__ int64_t segments() const { return chunks + K; }
  // What the sum over all positions is divided by.
  __device__ __forceinline__ double divisor() const {
    const int64_t count = valid == nullptr ? B * N : *valid;
    return double(count < 1 ? 1 : count);
  }
};

// A thread per position of the batch. Labels and mask are read once, 4 bytes per position written.
__global__ __launch_bounds__(kListThreads) void find_classes_thread_per_position_kernel(
    Plane labels, Plane mask, int64_t width, Classes classes) {
  const int64_t i = int64_t(blockIdx.x) * kListThreads + threadIdx.x;
  bool valid = i < classes.B * classes.N;
  if (valid) {
    const int64_t b = i / classes.N, n = i % classes.N;
    if (mask.data != nullptr) valid = plane_at<int>(mask, b, n, width) != 0;
    const int64_t label = plane_at<int64_t>(labels, b, n, width);
    classes.of[i] = valid && label >= 0 && label < classes.K ? int32_t(label) : -1;
  }
  if (classes.valid_parts == nullptr) return;
  const int64_t count = block_sum<kListThreads>(int64_t(valid));
  if (threadIdx.x == 0) classes.valid_parts[blockIdx.x] = count;
}

// One block.
__global__ __launch_bounds__(kListThreads) void count_valid_kernel(Classes classes) {
  int64_t count = 0;
  for (int64_t i = threadIdx.x; i < classes.parts(); i += kListThreads) {
    count += classes.valid_parts[i];
  }
  count = block_sum<kListThreads>(count);
  if (threadIdx.x == 0) *classes.valid = count;
}

// A block per image and class, a warp per part of the positions: counts those of smaller classes
// and its own, then lists its own. The classes of the image are read twice by each block, from L2
// all but once.
__global__ __launch_bounds__(kListThreads) void list_block_per_class_kernel(Classes classes) {
  constexpr int kWarps = kListThreads / kWarp;
  STRUCTKD_SHARED(int32_t, below_of, [kWarps]);
  STRUCTKD_SHARED(int32_t, own_of, [kWarps]);
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp;
  const int64_t b = blockIdx.x / classes.K, N = classes.N;
  const int32_t k = int32_t(blockIdx.x % classes.K);
  const int32_t* of = classes.of + b * N;
  const int64_t steps = divide_up(N, kWarp), end = (warp + 1) * steps / kWarps;
  int32_t below = 0, own = 0;
  for (int64_t step = warp * steps / kWarps; step < end; ++step) {
    const int64_t n = step * kWarp + lane;
    const int32_t other = n < N ? of[n] : -1;
    below += other >= 0 && other < k;
    own += other == k;
  }
  below = warp_sum(below);
  own = warp_sum(own);
  if (lane == 0) {
    below_of[warp] = below;
    own_of[warp] = own;
  }
  __syncthreads();
  int32_t first = 0, all = 0;
  for (int w = 0; w < kWarps; ++w) first += below_of[w];
  const int32_t begin = first;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) first += own_of[w];
    all += own_of[w];
  }
  if (threadIdx.x == 0) {
    int32_t* begins = classes.begin + b * (classes.K + 1);
    begins[k] = begin;
    if (k + 1 == classes.K) begins[classes.K] = begin + all;
  }
  if (own == 0) return;
  int32_t* order = classes.order + b * N;
  for (int64_t step = warp * steps / kWarps; step < end; ++step) {
    const int64_t n = step * kWarp + lane;
    const bool mine = n < N && of[n] == k;
    const unsigned votes = __ballot_sync(kFullWarp, mine);
    if (mine) order[first + __popc(votes & ((1u << lane) - 1))] = int32_t(n);
    first += __popc(votes);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTRA_CLASS_VARIATION_CLASSES_CUH
