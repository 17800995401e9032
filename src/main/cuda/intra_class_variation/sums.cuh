// cuda/intra_class_variation/sums.cuh: sums over the positions of each class, and what is made of
// them: centres, and what the positions pull them by.
#ifndef STRUCTKD_CUDA_INTRA_CLASS_VARIATION_SUMS_CUH
#define STRUCTKD_CUDA_INTRA_CLASS_VARIATION_SUMS_CUH

#include "core/centre_similarity.h"
#include "cuda/intra_class_variation/classes.cuh"

namespace structkd::cuda {
namespace {

// Channels that a warp sums side by side: it looks up a position once for all of them.
constexpr int kSumChannels = 8;
constexpr int kSumThreads = 256;

// One net. Vectors of classes are [B, C, K]: neighbouring positions, which have few classes, read
// neighbouring numbers.
template <class Element>
struct Net {
  MapOf<Element> map;
  int64_t groups;   // of kSumChannels channels
  double* sums;     // [B, segments, C]
  double* centres;  // [B, C, K]
  double* lengths;  // [B, K] of the centres

  Net(const Map& given, const Classes& classes, Workspace& workspace)
      : map(given),
        groups(divide_up(given.C, kSumChannels)),
        sums(workspace.take<double>(given.B * classes.segments() * given.C)),
        centres(workspace.take<double>(given.B * given.C * classes.K)),
        lengths(workspace.take<double>(given.B * classes.K)) {}

  int64_t sum_blocks(const Classes& classes) const {
    return divide_up(classes.B * classes.chunks * groups, kSumThreads / kWarp);
  }
};

// A warp per image, chunk and kSumChannels channels: lanes take positions of a segment in turn.
// With weights, [B, N], each position has its own.
template <class Element>
__global__ __launch_bounds__(kSumThreads) void sum_classes_chunk_per_warp_kernel(
    Classes classes, Net<Element> net, const double* weights) {
  const int64_t task = (int64_t(blockIdx.x) * kSumThreads + threadIdx.x) / kWarp;
  if (task >= classes.B * classes.chunks * net.groups) return;
  const int lane = int(threadIdx.x) % kWarp;
  const int64_t c0 = task % net.groups * kSumChannels, chunk = task / net.groups % classes.chunks;
  const int64_t b = task / net.groups / classes.chunks, C = net.map.C;
  const int32_t* begin = classes.begin + b * (classes.K + 1);
  const int32_t* order = classes.order + b * classes.N;
  const int64_t all = begin[classes.K];
  int64_t at = chunk * Classes::kChunkPositions;
  if (at >= all) return;
  const int64_t end = all - at < Classes::kChunkPositions ? all : at + Classes::kChunkPositions;
  const Element* channels = net.map.data + b * net.map.stride_b + c0 * net.map.stride_c;
  for (int64_t k = classes.of[b * classes.N + order[at]]; at < end; ++k) {
    const int64_t stop = begin[k + 1] < end ? begin[k + 1] : end;
    if (stop <= at) continue;  // no position of this class
    double sums[kSumChannels] = {};
    for (int64_t i = at + lane; i < stop; i += kWarp) {
      const int64_t n = order[i];
      const double weight = weights == nullptr ? 1.0 : weights[b * classes.N + n];
      const Element* position = channels + net.map.pixel_offset(n);
#pragma unroll
      for (int c = 0; c < kSumChannels; ++c) {
        if (c0 + c < C) sums[c] += weight * double(widen(position[c * net.map.stride_c]));
      }
    }
    double mine = 0.0;  // lane c keeps the sum of channel c
#pragma unroll
    for (int c = 0; c < kSumChannels; ++c) {
      const double sum = warp_sum(sums[c]);
      if (lane == c) mine = sum;
    }
    if (lane < kSumChannels && c0 + lane < C) {
      net.sums[(b * classes.segments() + chunk + k) * C + c0 + lane] = mine;
    }
    at = stop;
  }
}

// The segments of a class of an image, and its positions.
struct ClassSegments {
  int64_t b, k, first, count, begin, positions;

  __device__ __forceinline__ ClassSegments(const Classes& classes, int64_t row)
      : b(row / classes.K), k(row % classes.K) {
    const int32_t* begins = classes.begin + b * (classes.K + 1);
    begin = begins[k];
    positions = begins[k + 1] - begin;
    first = begin / Classes::kChunkPositions;
    count = positions == 0 ? 0 : (begin + positions - 1) / Classes::kChunkPositions - first + 1;
  }

  // The mean of channel c over the positions, of the sums of a net.
  __device__ __forceinline__ double mean(const Classes& classes,
                                         const double* sums,
                                         int64_t C,
                                         int64_t c) const {
    double sum = 0.0;
    const double* segment = sums + (b * classes.segments() + first + k) * C + c;
    for (int64_t i = 0; i < count; ++i) sum += segment[i * C];
    return sum / (double(positions) + kBesideCount);
  }
};

template <class Element>
__device__ void find_centre(const Classes& classes,
                            const ClassSegments& segments,
                            const Net<Element>& net) {
  double squares = 0.0;
  for (int64_t c = threadIdx.x; c < net.map.C; c += kSumThreads) {
    const double mean = segments.mean(classes, net.sums, net.map.C, c);
    net.centres[(segments.b * net.map.C + c) * classes.K + segments.k] = mean;
    squares += mean * mean;
  }
  squares = block_sum<kSumThreads>(squares);
  if (threadIdx.x == 0) net.lengths[segments.b * classes.K + segments.k] = length_of(squares);
}

// A block per image and class: its centre in both nets.
template <class Element>
__global__ __launch_bounds__(kSumThreads) void centres_block_per_class_kernel(
    Classes classes, Net<Element> student, Net<Element> teacher) {
  const ClassSegments segments(classes, blockIdx.x);
  find_centre(classes, segments, student);
  find_centre(classes, segments, teacher);
}

// A block per image and class: the mean of what its positions pull its centre by. The student's
// sums are weighted by their slopes now; `turns`, [B, N], are as CentreSlopes has them.
template <class Element>
__global__ __launch_bounds__(kSumThreads) void pulls_block_per_class_kernel(Classes classes,
                                                                            Net<Element> student,
                                                                            const double* turns,
                                                                            double* pulls) {
  STRUCTKD_SHARED(double, shared_turn, [1]);
  const ClassSegments segments(classes, blockIdx.x);
  const int64_t C = student.map.C;
  const int32_t* order = classes.order + segments.b * classes.N + segments.begin;
  double turn = 0.0;
  for (int64_t i = threadIdx.x; i < segments.positions; i += kSumThreads) {
    turn += turns[segments.b * classes.N + order[i]];
  }
  turn = block_sum<kSumThreads>(turn);
  if (threadIdx.x == 0) {
    const double length = student.lengths[blockIdx.x];
    // Without a centre no position has a slope.
    shared_turn[0] = length == 0.0
                         ? 0.0
                         : turn / (length * length * (double(segments.positions) + kBesideCount));
  }
  __syncthreads();
  for (int64_t c = threadIdx.x; c < C; c += kSumThreads) {
    const int64_t at = (segments.b * C + c) * classes.K + segments.k;
    const double along = segments.mean(classes, student.sums, C, c);
    pulls[at] = along - shared_turn[0] * student.centres[at];
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTRA_CLASS_VARIATION_SUMS_CUH
