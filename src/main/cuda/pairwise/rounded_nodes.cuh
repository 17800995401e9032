// cuda/pairwise/rounded_nodes.cuh: differences and sums of unit vectors, rounded once to what tensor
// cores multiply: operands of rounded_gram.cuh and rounded_pairs.cuh. The difference is taken before it
// is rounded, so that close vectors keep their digits.
#ifndef STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH
#define STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH

#include "cuda/common/tensor_product.cuh"
#include "cuda/pairwise/nodes.cuh"

namespace structkd::cuda {
namespace {

// D = S - T and U = S + T of unit vectors, weighted by the roots of the weights, and, if asked for, S.
// Channels up to whole warps and nodes up to whole chunks are there, and 0.
struct RoundedNodes {
  int64_t C;
  int64_t channels, pitch;  // up to n times 32: of a plane, and nodes of a channel
  int64_t planes;           // 2, or 3 with S
  void* data;               // operands [groups, planes, channels, pitch]: D, U, S

  template <class Real>
  RoundedNodes(const Nodes<Real>& nodes,
               bool with_student,
               int64_t bytes_of_operand,
               Workspace& workspace)
      : C(nodes.student.C),
        channels(divide_up(C, kWarp) * kWarp),
        pitch(divide_up(nodes.group_nodes(), kStrip) * kStrip),
        planes(with_student ? 3 : 2),
        data(workspace.take<char>(nodes.groups * planes * channels * pitch * bytes_of_operand)) {}

  // Where the rows of a group begin: channel c of D is row c, that of U row channels + c, that of S
  // row 2 channels + c.
  template <class T>
  __device__ __forceinline__ T* of_group(int64_t group) const {
    return static_cast<T*>(data) + group * (planes * channels * pitch);
  }
};

// A difference and a sum.
struct UnitPair {
  float d, u;
};

template <class E>
__device__ __forceinline__ UnitPair unit_pair(const E* s, TwoFloat rs, const E* t, TwoFloat rt) {
  const float x = widen(*s), y = widen(*t);
  return {unit_difference<float>(x, rs, y, rt), __fadd_rn(unit<float>(x, rs), unit<float>(y, rt))};
}

// what      measures the nodes of a strip as measure_nodes_strip_per_block_kernel does, in whose
//           place it is launched, then writes their differences and sums, rounded to T
// mapping   block = one strip. Maps with neighbouring nodes: lane = node, warp w = channels w,
//           w + 8, ..; channels-last maps: lane = channel, and tiles of 32 channels are turned in
//           shared memory. grid = B * strips
// traffic   reads both maps, 8 N C bytes of f32, and once more from the second-level cache, where
//           the block has just left them; writes 4 N C bytes of bf16, 8 N C of TF32, half as many
//           more with S, and 40 N
// shared    15 KB, no bank conflicts
// numbers   76 registers, nvcc 13.1 for sm_90
constexpr int kRoundBlocks = 3;  // of them on a multiprocessor; four would spill registers

template <class Real, class Sum, class T>
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
  const int left = nodes.N - n0 < kStrip ? int(nodes.N - n0) : kStrip;  // nodes of the strip
  const int channels = int(rounded_nodes.channels), C = int(rounded_nodes.C);
  const int64_t step = kMeasureWarps * rounded_nodes.pitch;
  T* d_row = rounded_nodes.of_group<T>(group) + warp * rounded_nodes.pitch + i0;
  const int64_t u_rows = channels * rounded_nodes.pitch;
  const bool with_student = rounded_nodes.planes == 3;
  const auto write = [&](T* row, int i, UnitPair pair) {
    row[i] = rounded<T>(pair.d);
    row[u_rows + i] = rounded<T>(pair.u);
    if (with_student) row[2 * u_rows + i] = rounded<T>(0.5f * (pair.d + pair.u));
  };
  nodes.student.with_elements([&](auto* s) {
    const auto* t = static_cast<decltype(s)>(nodes.teacher.data);
    T* row = d_row;
    if (!nodes.student.channels_innermost()) {
      if (lane >= left) return;
      s += nodes.student.offset(b, warp, n0 + lane);
      t += nodes.teacher.offset(b, warp, n0 + lane);
      const int64_t s_step = kMeasureWarps * nodes.student.stride_c;
      const int64_t t_step = kMeasureWarps * nodes.teacher.stride_c;
      const TwoFloat rs = scales[0][lane], rt = scales[1][lane];
      int c = warp;
#pragma unroll 4
      for (; c < C; c += kMeasureWarps, s += s_step, t += t_step, row += step) {
        write(row, lane, unit_pair(s, rs, t, rt));
      }
#pragma unroll 1
      for (; c < channels; c += kMeasureWarps, row += step) write(row, lane, {0.0f, 0.0f});
      return;
    }
    constexpr int kPasses = kStrip / kMeasureWarps;
#pragma unroll 1
    for (int c0 = 0; c0 < channels; c0 += kWarp) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        const int node = warp * kPasses + pass;
        UnitPair pair = {0.0f, 0.0f};
        if (node < left && c0 + lane < C) {
          pair = unit_pair(s + nodes.student.offset(b, c0 + lane, n0 + node), scales[0][node],
                           t + nodes.teacher.offset(b, c0 + lane, n0 + node), scales[1][node]);
        }
        turned[0][lane][node] = pair.d;
        turned[1][lane][node] = pair.u;
      }
      __syncthreads();
#pragma unroll
      for (int c = warp; c < kWarp; c += kMeasureWarps, row += step) {
        if (lane < left) write(row, lane, {turned[0][c][lane], turned[1][c][lane]});
      }
      __syncthreads();
    }
  });
  // The last strip of a group fills its last chunk.
  const int64_t end = i0 + left;
  if (end != nodes.group_nodes() || lane >= rounded_nodes.pitch - end) return;
#pragma unroll 1
  for (int c = warp; c < channels; c += kMeasureWarps, d_row += step) {
    write(d_row, left + lane, {0.0f, 0.0f});
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_ROUNDED_NODES_CUH
