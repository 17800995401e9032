// cuda/pairwise/rounded_nodes.cuh: unit vectors, or differences and sums of them, rounded once to what
// tensor cores multiply: operands of rounded_gram.cuh and rounded_pairs.cuh. The difference is taken
// before it is rounded, so that close vectors keep their digits.
#ifndef STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH
#define STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH

#include "cuda/common/tensor_product.cuh"
#include "cuda/pairwise/nodes.cuh"

namespace structkd::cuda {
namespace {

// D = S - T and U = S + T of unit vectors, weighted by the roots of the weights, and, if asked for, S;
// of different channels T and S themselves. Channels up to whole warps and nodes up to whole chunks
// are there, and 0.
struct RoundedNodes {
  int64_t C;
  int64_t others, channels;  // up to n times 32: of D or T, and of U or S
  int64_t rows, pitch;       // of a group: channels of all planes, and nodes of a channel
  void* data;                // operands [groups, rows, pitch]: D, U, S, or T, S

  template <class Real>
  RoundedNodes(const Nodes<Real>& nodes,
               bool with_student,
               int64_t bytes_of_operand,
               Workspace& workspace)
      : C(nodes.student.C),
        others(divide_up(nodes.teacher.C, kWarp) * kWarp),
        channels(divide_up(C, kWarp) * kWarp),
        rows(others + (with_student ? 2 : 1) * channels),
        pitch(divide_up(nodes.group_nodes(), kStrip) * kStrip),
        data(workspace.take<char>(nodes.groups * rows * pitch * bytes_of_operand)) {}

  // Where the rows of a group begin: channel c of D is row c, that of U row others + c, that of S
  // after U row others + channels + c.
  template <class T>
  __device__ __forceinline__ T* of_group(int64_t group) const {
    return static_cast<T*>(data) + group * (rows * pitch);
  }
};

// A channel of a node in both maps: its difference and its sum.
template <class Real, class Pointer>
struct UnitPair {
  static constexpr int kNumbers = 2;
  Pointer s, t;
  TwoFloat rs, rt;

  __device__ __forceinline__ UnitPair(const Nodes<Real>& nodes,
                                      const TwoFloat (&scales)[2][kStrip],
                                      int64_t b,
                                      int64_t c,
                                      int64_t n0,
                                      int node)
      : s(static_cast<Pointer>(nodes.student.data) + nodes.student.offset(b, c, n0 + node)),
        t(static_cast<Pointer>(nodes.teacher.data) + nodes.teacher.offset(b, c, n0 + node)),
        rs(scales[0][node]),
        rt(scales[1][node]) {}

  __device__ __forceinline__ void read(float (&numbers)[2]) const {
    const float x = widen(*s), y = widen(*t);
    numbers[0] = unit_difference<float>(x, rs, y, rt);
    numbers[1] = __fadd_rn(unit<float>(x, rs), unit<float>(y, rt));
  }
  __device__ __forceinline__ void advance(const Nodes<Real>& nodes, int channels) {
    s += channels * nodes.student.stride_c;
    t += channels * nodes.teacher.stride_c;
  }
};

// A channel of a node in one of the maps.
template <class Real, class Pointer, bool kStudent>
struct UnitElement {
  static constexpr int kNumbers = 1;
  Pointer f;
  TwoFloat scale;

  __device__ static __forceinline__ const Features<Real>& map(const Nodes<Real>& nodes) {
    return kStudent ? nodes.student : nodes.teacher;
  }
  __device__ __forceinline__ UnitElement(const Nodes<Real>& nodes,
                                         const TwoFloat (&scales)[2][kStrip],
                                         int64_t b,
                                         int64_t c,
                                         int64_t n0,
                                         int node)
      : f(static_cast<Pointer>(map(nodes).data) + map(nodes).offset(b, c, n0 + node)),
        scale(scales[kStudent ? 0 : 1][node]) {}

  __device__ __forceinline__ void read(float (&numbers)[1]) const {
    numbers[0] = unit<float>(widen(*f), scale);
  }
  __device__ __forceinline__ void advance(const Nodes<Real>& nodes, int channels) {
    f += channels * map(nodes).stride_c;
  }
};

// What a block needs of its strip.
struct Strip {
  int64_t b, n0;
  int left;  // nodes
};

// write(row, node, numbers) for all channels of a strip, up to C as Source reads them and up to
// `channels` 0; `row` is the one of channel `warp`, `step` leads to the next one of the warp.
template <class Source, class Real, class T, class Write>
__device__ __forceinline__ void write_strip(const Nodes<Real>& nodes,
                                            const TwoFloat (&scales)[2][kStrip],
                                            float (&turned)[2][kWarp][kStrip + 1],
                                            const Strip& strip,
                                            int C,
                                            int channels,
                                            T* row,
                                            int64_t step,
                                            Write&& write) {
  constexpr int kNumbers = Source::kNumbers;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  if (!nodes.student.channels_innermost()) {
    if (lane >= strip.left) return;
    Source source(nodes, scales, strip.b, warp, strip.n0, lane);
    int c = warp;
#pragma unroll 4
    for (; c < C; c += kMeasureWarps, source.advance(nodes, kMeasureWarps), row += step) {
      float numbers[kNumbers];
      source.read(numbers);
      write(row, lane, numbers);
    }
    const float zeros[kNumbers] = {};
#pragma unroll 1
    for (; c < channels; c += kMeasureWarps, row += step) write(row, lane, zeros);
    return;
  }
  constexpr int kPasses = kStrip / kMeasureWarps;
#pragma unroll 1
  for (int c0 = 0; c0 < channels; c0 += kWarp) {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int node = warp * kPasses + pass;
      float numbers[kNumbers] = {};
      if (node < strip.left && c0 + lane < C) {
        Source(nodes, scales, strip.b, c0 + lane, strip.n0, node).read(numbers);
      }
#pragma unroll
      for (int q = 0; q < kNumbers; ++q) turned[q][lane][node] = numbers[q];
    }
    __syncthreads();
#pragma unroll
    for (int c = warp; c < kWarp; c += kMeasureWarps, row += step) {
      float numbers[kNumbers];
#pragma unroll
      for (int q = 0; q < kNumbers; ++q) numbers[q] = turned[q][c][lane];
      if (lane < strip.left) write(row, lane, numbers);
    }
    __syncthreads();
  }
}

// what      measures the nodes of a strip as measure_nodes_strip_per_block_kernel does, in whose
//           place it is launched, then writes their differences and sums, or the vectors themselves,
//           rounded to T
// mapping   block = one strip. Maps with neighbouring nodes: lane = node, warp w = channels w,
//           w + 8, ..; channels-last maps: lane = channel, and tiles of 32 channels are turned in
//           shared memory. grid = B * strips
// traffic   reads both maps, 8 N C bytes of f32, and once more from the second-level cache, where
//           the block has just left them; writes 4 N C bytes of bf16, 8 N C of TF32, half as many
//           more with S, and 40 N
// shared    15 KB, no bank conflicts
// numbers   80 registers, of vectors 78, nvcc 13.1 for sm_90
constexpr int kRoundBlocks = 3;  // of them on a multiprocessor; four would spill registers

template <class Real, class Sum, class T, bool kDifferences>
__global__ void __launch_bounds__(kMeasureWarps* kWarp, kRoundBlocks)
    round_nodes_strip_per_block_kernel(Nodes<Real> nodes, RoundedNodes rounded_nodes) {
  STRUCTKD_SHARED(TwoFloat, scales, [2][kStrip]);
  STRUCTKD_SHARED(float, turned, [2][kWarp][kStrip + 1]);
  measure_strip<Sum>(nodes, [&](int lane, const UnitScale& student, const UnitScale& teacher) {
    scales[0][lane] = student.narrow;
    scales[1][lane] = teacher.narrow;
  });
  __syncthreads();

  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t b = blockIdx.x / nodes.strips, n0 = blockIdx.x % nodes.strips * kStrip;
  const int64_t group = b / nodes.images, i0 = b % nodes.images * nodes.N + n0;
  const Strip strip = {b, n0, nodes.N - n0 < kStrip ? int(nodes.N - n0) : kStrip};
  const int others = int(rounded_nodes.others), channels = int(rounded_nodes.channels);
  const int C = int(rounded_nodes.C), Ct = int(nodes.teacher.C);
  const int64_t step = kMeasureWarps * rounded_nodes.pitch;
  T* first = rounded_nodes.of_group<T>(group) + warp * rounded_nodes.pitch + i0;
  const int64_t second = others * rounded_nodes.pitch;
  nodes.student.with_elements([&](auto* s) {
    using Pointer = decltype(s);
    if constexpr (kDifferences) {
      const bool with_student = rounded_nodes.rows > 2 * channels;
      const auto write = [&](T* row, int i, const float (&numbers)[2]) {
        row[i] = rounded<T>(numbers[0]);
        row[second + i] = rounded<T>(numbers[1]);
        if (with_student) row[2 * second + i] = rounded<T>(0.5f * (numbers[0] + numbers[1]));
      };
      write_strip<UnitPair<Real, Pointer>>(nodes, scales, turned, strip, C, channels, first, step,
                                           write);
    } else {
      const auto write = [](T* row, int i, const float (&numbers)[1]) {
        row[i] = rounded<T>(numbers[0]);
      };
      write_strip<UnitElement<Real, Pointer, false>>(nodes, scales, turned, strip, Ct, others,
                                                     first, step, write);
      write_strip<UnitElement<Real, Pointer, true>>(nodes, scales, turned, strip, C, channels,
                                                    first + second, step, write);
    }
  });
  // The last strip of a group fills its last chunk.
  const int64_t end = i0 + strip.left;
  if (end != nodes.group_nodes() || lane >= rounded_nodes.pitch - end) return;
#pragma unroll 1
  for (int r = warp; r < int(rounded_nodes.rows); r += kMeasureWarps, first += step) {
    first[strip.left + lane] = rounded<T>(0.0f);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH
