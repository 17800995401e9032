// cuda/pairwise/grad.cuh: from h = sum_j w_j gap_ij s_j, or signs for gaps, one tile of channels x nodes at a time, to
// the gradient of the features.
//
//   g = factor (h - s <s, h>) / length      the second term only if the norm is differentiable
//
// <s, h> needs all channels of a node. Where they are more than a tile, the tiles leave g without
// the second term and their part of <s, h>, and pairwise_grad_finish_kernel subtracts.
#ifndef STRUCTKD_CUDA_PAIRWISE_GRAD_CUH
#define STRUCTKD_CUDA_PAIRWISE_GRAD_CUH

#include "cuda/pairwise/gram.cuh"

namespace structkd::cuda {
namespace {

// A map of f64, f32, f16 or bf16 that a kernel writes.
struct WrittenMap : MapOf<void> {
  structkd_dtype dtype;

  WrittenMap() = default;
  explicit WrittenMap(const Map& map) : MapOf<void>(map), dtype(map.dtype) {}

  __device__ __forceinline__ bool channels_innermost() const {
    return stride_c == 1 && stride_w != 1;
  }

  // Stores a value of E, which is double for f64 and float for narrower elements; f32 elements take
  // a double, too.
  template <class E>
  __device__ __forceinline__ void set(int64_t offset, E value) const {
    switch (dtype) {
      case STRUCTKD_F64:
        static_cast<double*>(data)[offset] = double(value);
        break;
      case STRUCTKD_F16:
        static_cast<Half*>(data)[offset] = narrow<Half>(float(value));
        break;
      case STRUCTKD_BF16:
        static_cast<BFloat16*>(data)[offset] = narrow<BFloat16>(float(value));
        break;
      default:
        static_cast<float*>(data)[offset] = float(value);
        break;
    }
  }

  template <class E>
  __device__ __forceinline__ E get(int64_t offset) const {  // of f64 and f32 maps
    return dtype == STRUCTKD_F64 ? E(static_cast<const double*>(data)[offset])
                                 : E(static_cast<const float*>(data)[offset]);
  }
};

struct GradOut {
  WrittenMap grad;
  WrittenMap unfinished;  // grad itself if that is f32 or f64, else an f32 map of the workspace
  bool differentiable;
  int64_t tiles;  // of channels
  double* dots;   // [B N, tiles]: parts of <s, h>

  // True where a block cannot hold all channels of a node, and <s, h> needs them.
  __host__ __device__ bool in_two_steps() const { return differentiable && tiles > 1; }

  GradOut(const PairwiseArgs& args, int64_t channels_per_tile, Workspace& workspace)
      : grad(args.grad),
        unfinished(args.grad),
        differentiable(args.norm == STRUCTKD_NORM_DIFFERENTIABLE),
        tiles(divide_up(args.student.C, channels_per_tile)),
        dots(nullptr) {
    if (!in_two_steps()) return;
    const Map& s = args.student;
    dots = workspace.take<double>(s.B * s.H * s.W * tiles);
    const structkd_dtype dtype = args.grad.data ? args.grad.dtype : s.dtype;
    if (dtype == STRUCTKD_F32 || dtype == STRUCTKD_F64) return;
    float* memory = workspace.take<float>(s.B * s.C * s.H * s.W);
    unfinished = WrittenMap(
        Map{memory, STRUCTKD_F32, s.B, s.C, s.H, s.W, s.C * s.H * s.W, s.H * s.W, s.W, 1});
  }
};

// The chain rule is in f64 where the products keep more than f32.
template <class T>
struct EpilogueOf {
  using type = double;
};
template <>
struct EpilogueOf<float> {
  using type = float;
};
template <>
struct EpilogueOf<Tf32> {
  using type = float;
};
template <>
struct EpilogueOf<BFloat16> {
  using type = float;
};
template <class T>
using Epilogue = typename EpilogueOf<T>::type;

// A tile of h in shared memory. Its channels' nodes are permuted so that lanes spread over all
// banks, of f32 and f64, whether they go along nodes, along channels, or over 8 channels x every
// second of 8 nodes, as products leave them: no pitch does all three.
__device__ __forceinline__ int grad_tile_at(int channel, int node) {
  return channel * kTileNodes + (node ^ ((channel ^ channel << 2) & 31));
}

// Dynamic shared memory of a block that multiplies operands A and B and ends with such a tile.
template <class Math, class A, class B, class Tile>
constexpr size_t grad_shared_bytes() {
  const size_t h = Tile::kM * Tile::kN * sizeof(Epilogue<typename Math::Operand>);
  return h > kStageBytes<Math, A, B> ? h : kStageBytes<Math, A, B>;
}

// What the chain rule needs of each node of a tile.
template <class T>
struct GradNodes {
  int64_t offset[kTileNodes], unfinished[kTileNodes];
  Epilogue<T> factor[kTileNodes];   // factor * scale: of h
  Epilogue<T> stretch[kTileNodes];  // factor * <s, h> * along: of s
};

template <class Real, class T>
__device__ __forceinline__ void describe_grad_nodes(const Nodes<Real>& nodes,
                                                    const GradOut& out,
                                                    int64_t group,
                                                    int64_t i0,
                                                    double factor,
                                                    GradNodes<T>& tile) {
  if (threadIdx.x >= kTileNodes || i0 + threadIdx.x >= nodes.group_nodes()) return;
  const int64_t i = i0 + threadIdx.x, b = group * nodes.images + i / nodes.N, n = i % nodes.N;
  tile.offset[threadIdx.x] = b * out.grad.stride_b + out.grad.pixel_offset(n);
  tile.unfinished[threadIdx.x] = b * out.unfinished.stride_b + out.unfinished.pixel_offset(n);
  tile.factor[threadIdx.x] = Epilogue<T>(factor * nodes.student_scale[b * nodes.N + n].wide);
}

// visit(x, c) for all nodes x < valid and channels c < channels of a tile of Channels, in the order
// in which `map` lies in memory.
template <int Threads, int Channels, class Visit>
__device__ __forceinline__ void for_each_element(const WrittenMap& map,
                                                 int64_t valid,
                                                 int64_t channels,
                                                 Visit&& visit) {
  const bool by_channel = map.channels_innermost();
#pragma unroll 4
  for (int item = threadIdx.x; item < kTileNodes * Channels; item += Threads) {
    const int x = by_channel ? item / Channels : item % kTileNodes;
    const int c = by_channel ? item % Channels : item / kTileNodes;
    if (x < valid && c < channels) visit(x, c);
  }
}

template <class Real, class T>
__device__ __forceinline__ Epilogue<T> student_unit(const Nodes<Real>& nodes,
                                                    const NodeTile<T>& tile,
                                                    int x,
                                                    int64_t c) {
  Real f = Real(0);
  nodes.student.with_elements(
      [&](auto* elements) { f = widen(elements[tile.student[x] + c * nodes.student.stride_c]); });
  return unit<Epilogue<T>>(f, tile.student_scale[x]);
}

// Ends a block that has the sums of kM channels from c0 on and kN nodes from i0 of a group on, 64
// nodes after the other. `tiles_of_h`: kM x kN elements of shared memory that nobody reads any more.
// `tile` describes the first 64 nodes.
template <class Real, class Math, class Tile>
__device__ __forceinline__ void write_grad_tile(const Nodes<Real>& nodes,
                                                const GradOut& out,
                                                int64_t group,
                                                int64_t i0,
                                                int64_t c0,
                                                const WarpSums<Math, Tile>& sums,
                                                NodeTile<typename Math::Operand>& tile,
                                                Epilogue<typename Math::Operand>* tiles_of_h) {
  using T = typename Math::Operand;
  using E = Epilogue<T>;
  constexpr int kParts = Tile::kThreads / kTileNodes;
  STRUCTKD_SHARED(GradNodes<T>, own, [1]);
  STRUCTKD_SHARED(double, dot, [kParts][kTileNodes]);
  sums.for_each_pair([&](int row, int column, auto x, auto y) {
    E* h = tiles_of_h + column / kTileNodes * (Tile::kM * kTileNodes);
    h[grad_tile_at(row, column % kTileNodes)] = value_as<E>(x);
    h[grad_tile_at(row, column % kTileNodes + 1)] = value_as<E>(y);
  });
  const double factor = grad_factor(nodes, group_sums<Tile::kThreads>(nodes, group));
  const int64_t channels = nodes.student.C - c0;
#pragma unroll 1
  for (int first = 0; first < Tile::kN; first += kTileNodes, i0 += kTileNodes) {
    const E* h = tiles_of_h + first * Tile::kM;
    const int64_t valid = nodes.group_nodes() - i0;
    if (first > 0) {
      if (valid <= 0) return;
      __syncthreads();  // the nodes before are written
      describe_nodes(nodes, group, i0, tile);
    }
    describe_grad_nodes(nodes, out, group, i0, factor, own[0]);
    __syncthreads();

    const int x = threadIdx.x % kTileNodes, part = threadIdx.x / kTileNodes;
    if (out.differentiable) {
      double sum = 0.0;
      if (x < valid) {
        E along = E(0);
#pragma unroll 4
        for (int c = part; c < Tile::kM; c += kParts) {
          if (c < channels) along += student_unit(nodes, tile, x, c0 + c) * h[grad_tile_at(c, x)];
        }
        sum = double(along);
      }
      dot[part][x] = sum;
      __syncthreads();
      if (part == 0 && x < valid) {
        for (int p = 1; p < kParts; ++p) sum += dot[p][x];
        const int64_t node = group * nodes.group_nodes() + i0 + x;
        if (out.tiles > 1) {
          out.dots[node * out.tiles + c0 / Tile::kM] = sum;
        } else {
          own[0].stretch[x] = E(factor * sum * nodes.along[node]);
        }
      }
      __syncthreads();
    }
    if (out.in_two_steps()) {
      for_each_element<Tile::kThreads, Tile::kM>(
          out.unfinished, valid, channels, [&](int x, int c) {
            out.unfinished.set(own[0].unfinished[x] + (c0 + c) * out.unfinished.stride_c,
                               own[0].factor[x] * h[grad_tile_at(c, x)]);
          });
      continue;
    }
    for_each_element<Tile::kThreads, Tile::kM>(out.grad, valid, channels, [&](int x, int c) {
      E g = own[0].factor[x] * h[grad_tile_at(c, x)];
      if (out.differentiable) g -= own[0].stretch[x] * student_unit(nodes, tile, x, c0 + c);
      out.grad.set(own[0].offset[x] + (c0 + c) * out.grad.stride_c, g);
    });
  }
}

// what      g -= s <s, h> / |f|, with <s, h> from its parts in ascending order
// mapping   block = 64 channels x 64 nodes
// traffic   reads g and the student, writes g: 12 N Cs bytes of f32, from the second-level cache
//           where they fit
constexpr int kFinishChannels = 64, kFinishThreads = 256;

template <class Real, class T>
__global__ void __launch_bounds__(kFinishThreads)
    pairwise_grad_finish_kernel(Nodes<Real> nodes, GradOut out) {
  using E = Epilogue<T>;
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  STRUCTKD_SHARED(GradNodes<T>, own, [1]);
  const int64_t tiles = divide_up(nodes.group_nodes(), kTileNodes);
  const int64_t group = blockIdx.x / tiles, i0 = blockIdx.x % tiles * kTileNodes;
  const int64_t c0 = int64_t(blockIdx.y) * kFinishChannels;
  const double factor = grad_factor(nodes, group_sums<kFinishThreads>(nodes, group));
  describe_nodes(nodes, group, i0, tile[0]);
  describe_grad_nodes(nodes, out, group, i0, factor, own[0]);
  const int64_t valid = nodes.group_nodes() - i0;
  if (threadIdx.x < kTileNodes && threadIdx.x < valid) {
    const int64_t node = group * nodes.group_nodes() + i0 + threadIdx.x;
    double sum = 0.0;
    for (int64_t t = 0; t < out.tiles; ++t) sum += out.dots[node * out.tiles + t];
    own[0].stretch[threadIdx.x] = E(factor * sum * nodes.along[node]);
  }
  __syncthreads();
  const int64_t channels = nodes.student.C - c0;
  for_each_element<kFinishThreads, kFinishChannels>(out.grad, valid, channels, [&](int x, int c) {
    const E g = out.unfinished.get<E>(own[0].unfinished[x] + (c0 + c) * out.unfinished.stride_c);
    out.grad.set(own[0].offset[x] + (c0 + c) * out.grad.stride_c,
                 g - own[0].stretch[x] * student_unit(nodes, tile[0], x, c0 + c));
  });
}

// what      h = coefficients' [s; o]: the gradient from C x C matrices
// mapping   block = kM channels x 64 nodes; blocks of the same nodes are neighbours. grid = channel
//           tiles * node tiles * groups
// traffic   a block reads its nodes once and kM columns of the coefficients, which stay in the
//           second-level cache
// shared    two buffers of 16 x (kM + 64) operands, then the kM x 64 tile: 64 KB of f64 at most; no
//           bank conflicts but of f32 channels-last maps (lane_row)
// numbers   252 registers (kM = 128, f64), 186 (64), nvcc 13.1 for sm_90
template <class Real, class Math, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    pairwise_gram_grad_tile_per_block_kernel(Nodes<Real> nodes, Gram gram, GradOut out, When when) {
  using T = typename Math::Operand;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  const int64_t c0 = blockIdx.x % out.tiles * Tile::kM, block = blockIdx.x / out.tiles;
  const int64_t node_tiles = divide_up(nodes.group_nodes(), kTileNodes);
  const int64_t group = block / node_tiles, i0 = block % node_tiles * kTileNodes;
  if (!works_for<Tile::kThreads>(when, nodes, group)) return;
  describe_nodes(nodes, group, i0, tile[0]);
  __syncthreads();
  const StackedChannels channels(gram.Cs, gram.Ct);
  const T* coefficients = static_cast<const T*>(gram.coefficients) +
                          group * gram.coefficient_rows * gram.coefficient_pitch;
  MatrixRows<T, Tile::kM, Tile::kThreads> a(coefficients, c0, gram.coefficient_pitch);
  NodeColumns<Real, T, Side::kLeft, Tile::kThreads> b(nodes, tile[0], nodes.group_nodes() - i0,
                                                      channels);
  WarpSums<Math, Tile> sums;
  block_product(channels.chunks(), a, b, shared, sums);
  write_grad_tile(nodes, out, group, i0, c0, sums, tile[0], reinterpret_cast<Epilogue<T>*>(shared));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_GRAD_CUH
