// cuda/pairwise/pairs.cuh: the sum over pairs, pair by pair, for groups with fewer nodes than both
// maps have channels together. The N x N gaps are no larger than the C x C matrices would be; kept
// for the gradient, each is computed once and for its mirror image, too. After rounded_pairs.cuh only
// groups follow whose differences have cancelled. Larger groups whose absolute values are compared, or
// of f64 inputs whose norms cancel, keep none: each gap is used at once.
#ifndef STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH
#define STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH

#include "cuda/pairwise/grad.cuh"

namespace structkd::cuda {
namespace {

template <class Sum>
__device__ __forceinline__ Sum from_double(double x) {
  if constexpr (__is_same(Sum, TwoFloat))
    return to_two_float(x);
  else
    return Sum(x);
}

// What becomes of the gaps of two tiles of nodes; a gap comes as sqrt(w_i w_j) (A_S - A_T). The
// roots of the weights are needed for absolute values alone.
template <bool kSigns>
struct GapsOfTile {
  static constexpr int kRoots = kSigns ? kTileNodes : 1;

  const double *row_roots, *column_roots;  // [kRoots], shared

  // A gap, or an affinity, as it is summed.
  __device__ __forceinline__ double summand(int row, int column, double gap) const {
    if constexpr (kSigns) {
      return row_roots[row] * column_roots[column] * fabs(gap);
    } else {
      return gap * gap;
    }
  }

  // The factor of s_j in the gradient of s_i. NaN stays.
  template <class Sum>
  __device__ __forceinline__ Sum factor(int row, int column, Sum gap) const {
    if constexpr (kSigns) {
      const double x = to_double(gap), weight = row_roots[row] * column_roots[column];
      const double slope = x > 0.0 ? weight : x < 0.0 ? -weight : x;
      return from_double<Sum>(fabs(x) <= kTie * weight ? 0.0 : slope);
    } else {
      return gap;
    }
  }
};

// The roots of the weights of nodes i0 .. i0 + 63 of a group. A barrier must follow.
template <class Real>
__device__ __forceinline__ void describe_roots(const Nodes<Real>& nodes,
                                               int64_t group,
                                               int64_t i0,
                                               double* roots) {
  if (threadIdx.x >= kTileNodes) return;
  const int64_t i = i0 + threadIdx.x;
  double weight = i < nodes.group_nodes() ? 1.0 : 0.0;
  if (nodes.weights.data && i < nodes.group_nodes()) {
    weight = plane_at<double>(nodes.weights, group * nodes.images + i / nodes.N, i % nodes.N,
                              nodes.student.W);
  }
  roots[threadIdx.x] = sqrt(weight);
}

using PairTile = BlockTile<kTileNodes, kTileNodes, 32, 32, 2>;

struct Pairs {
  int64_t tiles, slots;  // of nodes; slots: tiles on and above the diagonal
  void* gaps;            // [groups, pitch, pitch] operands: A_S - A_T, or its sign
  int64_t pitch;
  PairSums* sums;  // [groups, slots]

  template <class Real>
  Pairs(const Nodes<Real>& nodes, bool want_grad, Workspace& workspace)
      : tiles(divide_up(nodes.group_nodes(), kTileNodes)),
        slots(tiles * (tiles + 1) / 2),
        pitch(tiles * kTileNodes) {
    gaps = workspace.take<double>(want_grad ? nodes.groups * pitch * pitch : 0);
    sums = workspace.take<PairSums>(nodes.groups * slots);
  }
};

// what      gap_ij of all pairs of a tile, their summands, and with want_student those of A_S; ends
//           the loss
// mapping   block = 64 x 64 pairs on or above the diagonal, four warps of 32 x 32
// traffic   a block reads 128 nodes, 512 (Cs + Ct) bytes of f32; writes its gaps and their mirror
//           image
// shared    two buffers of 2 x 16 x 68 operands: 34 KB of f64; no bank conflicts but of f32
//           channels-last maps (lane_row)
template <class Real, class Math, bool kSigns>
__global__ void __launch_bounds__(PairTile::kThreads, PairTile::kBlocks)
    pairwise_pairs_tile_per_block_kernel(Nodes<Real> nodes,
                                         Pairs pairs,
                                         LossOut loss,
                                         bool want_student,
                                         bool want_grad,
                                         When when) {
  using T = typename Math::Operand;
  constexpr int kThreads = PairTile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [2]);
  STRUCTKD_SHARED(double, roots, [2][GapsOfTile<kSigns>::kRoots]);
  const GapsOfTile<kSigns> made{roots[0], roots[1]};
  int64_t slot = blockIdx.x % pairs.slots, I = 0;
  const int64_t group = blockIdx.x / pairs.slots;
  if (when == When::kCancelled && nodes.cancelled[group] == 0) return;
  for (; slot >= pairs.tiles - I; ++I) slot -= pairs.tiles - I;
  const int64_t i0 = I * kTileNodes, j0 = (I + slot) * kTileNodes, count = nodes.group_nodes();
  describe_nodes(nodes, group, i0, tile[0]);
  describe_nodes(nodes, group, j0, tile[1]);
  if constexpr (kSigns) {
    describe_roots(nodes, group, i0, roots[0]);
    describe_roots(nodes, group, j0, roots[1]);
  }
  __syncthreads();

  const auto products = [&](const StackedChannels& channels, int64_t chunks,
                            WarpSums<Math, PairTile>& sums) {
    NodeColumns<Real, T, Side::kLeft, kThreads> a(nodes, tile[0], count - i0, channels);
    NodeColumns<Real, T, Side::kRight, kThreads> b(nodes, tile[1], count - j0, channels);
    block_product(chunks, a, b, shared, sums);
  };
  const auto total = [&](const WarpSums<Math, PairTile>& sums) {
    double sum = 0.0;
    sums.for_each_pair([&](int row, int column, auto x, auto y) {
      sum += made.summand(row, column, to_double(x)) + made.summand(row, column + 1, to_double(y));
    });
    // A pair off the diagonal tiles stands for its mirror image, too.
    return block_sum<kThreads>(slot == 0 ? sum : 2.0 * sum);
  };
  double student = 0.0;
  if (want_student) {
    // The student's channels come first, and alone they give A_S.
    const StackedChannels channels(nodes.student.C, nodes.teacher.C, /*may_pair=*/false);
    WarpSums<Math, PairTile> sums;
    products(channels, channels.student_chunks(), sums);
    student = total(sums);
  }
  const StackedChannels channels(nodes.student.C, nodes.teacher.C);
  WarpSums<Math, PairTile> sums;
  products(channels, channels.chunks(), sums);
  const double gaps = total(sums);
  if (threadIdx.x == 0) pairs.sums[blockIdx.x] = {gaps, student, 0.0};
  if (want_grad) {
    T* out = static_cast<T*>(pairs.gaps) + group * pairs.pitch * pairs.pitch;
    sums.for_each_pair([&](int row, int column, auto left, auto right) {
      const int64_t i = i0 + row, j = j0 + column;
      const auto x = made.factor(row, column, left), y = made.factor(row, column + 1, right);
      out[i * pairs.pitch + j] = value_as<T>(x);
      out[i * pairs.pitch + j + 1] = value_as<T>(y);
      if (slot == 0) return;
      out[j * pairs.pitch + i] = value_as<T>(x);
      out[(j + 1) * pairs.pitch + i] = value_as<T>(y);
    });
  }
  end_pairs<kThreads, Cancels::kNothing>(nodes, group, pairs.sums, pairs.slots, loss);
}

// what      h = S gap: the gradient from the gaps of pairs
// mapping   block = kM channels x 64 nodes
// traffic   a block reads kM channels of all nodes of the group and 64 columns of the gaps
// shared    as pairwise_gram_grad_tile_per_block_kernel
template <class Real, class Math, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    pairwise_pairs_grad_tile_per_block_kernel(Nodes<Real> nodes,
                                              Pairs pairs,
                                              GradOut out,
                                              When when) {
  using T = typename Math::Operand;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  const int64_t c0 = blockIdx.x % out.tiles * Tile::kM, block = blockIdx.x / out.tiles;
  const int64_t group = block / pairs.tiles, i0 = block % pairs.tiles * kTileNodes;
  if (when == When::kCancelled && nodes.cancelled[group] == 0) return;
  const int64_t count = nodes.group_nodes();
  describe_nodes(nodes, group, i0, tile[0]);
  NodeCursor<Real> cursor(nodes, group, 0);
  ChannelRows<Real, T, Tile::kM, Tile::kThreads, false> a(cursor, Source::kStudent, c0);
  MatrixRows<T, kTileNodes, Tile::kThreads> b(
      static_cast<const T*>(pairs.gaps) + group * pairs.pitch * pairs.pitch, i0, pairs.pitch);
  WarpSums<Math, Tile> sums;
  block_product(divide_up(count, kChunk), a, b, shared, sums);
  write_grad_tile(nodes, out, group, i0, c0, sums, tile[0], reinterpret_cast<Epilogue<T>*>(shared));
}

// Two sets of sums in registers, gaps and h: half of either per thread.
using StreamTile = BlockTile<kTileNodes, kTileNodes, 16, 32, 1>;

// The gaps, or signs, of streamed pairs, of which each block has one tile at a time.
struct StreamedPairs {
  int64_t tiles;          // of nodes
  int64_t channel_tiles;  // of the gradient, or 1
  void* gaps;             // operands [groups, tiles, channel_tiles, kTileNodes, kTileNodes]
  PairSums* sums;         // [groups, tiles]

  template <class Real>
  StreamedPairs(const Nodes<Real>& nodes, bool want_grad, Workspace& workspace)
      : tiles(divide_up(nodes.group_nodes(), kTileNodes)),
        channel_tiles(want_grad ? divide_up(nodes.student.C, StreamTile::kM) : 1) {
    gaps = workspace.take<double>(want_grad ? blocks(nodes) * kTileNodes * kTileNodes : 0);
    sums = workspace.take<PairSums>(nodes.groups * tiles);
  }

  template <class Real>
  int64_t blocks(const Nodes<Real>& nodes) const {
    return nodes.groups * tiles * channel_tiles;
  }
};

// what      value and h = S gap, or of signs: of all groups where absolute values are compared,
//           else of those whose norms cancel; blocks of the others leave at once
// mapping   block = kM channels x 64 nodes, beside all nodes of the group, one tile of them after
//           the other
// traffic   a block reads all nodes of the group, and kM of their channels once more; writes and
//           reads a gap per pair of its nodes, in the second-level cache
// shared    as pairwise_gram_grad_tile_per_block_kernel with kM = 64
template <class Real, class Math, bool kSigns>
__global__ void __launch_bounds__(StreamTile::kThreads, StreamTile::kBlocks)
    pairwise_streamed_tile_per_block_kernel(
        Nodes<Real> nodes, StreamedPairs pairs, LossOut loss, GradOut out, bool want_grad) {
  using T = typename Math::Operand;
  constexpr int kThreads = StreamTile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [2]);
  STRUCTKD_SHARED(double, roots, [2][GapsOfTile<kSigns>::kRoots]);
  const GapsOfTile<kSigns> made{roots[1], roots[0]};
  const int64_t c0 = blockIdx.x % pairs.channel_tiles * StreamTile::kM;
  const int64_t block = blockIdx.x / pairs.channel_tiles, group = block / pairs.tiles;
  if (!kSigns && nodes.cancelled[group] == 0) return;
  const int64_t i0 = block % pairs.tiles * kTileNodes, count = nodes.group_nodes();
  T* gaps = static_cast<T*>(pairs.gaps) + int64_t(blockIdx.x) * (kTileNodes * kTileNodes);
  describe_nodes(nodes, group, i0, tile[0]);
  if constexpr (kSigns) describe_roots(nodes, group, i0, roots[0]);
  double total = 0.0, student = 0.0;
  WarpSums<Math, StreamTile> h;
  for (int64_t j0 = 0; j0 < count; j0 += kTileNodes) {
    describe_nodes(nodes, group, j0, tile[1]);
    if constexpr (kSigns) describe_roots(nodes, group, j0, roots[1]);
    __syncthreads();
    const auto products = [&](const StackedChannels& channels, int64_t chunks,
                              WarpSums<Math, StreamTile>& sums) {
      NodeColumns<Real, T, Side::kLeft, kThreads> left(nodes, tile[1], count - j0, channels);
      NodeColumns<Real, T, Side::kRight, kThreads> right(nodes, tile[0], count - i0, channels);
      block_product(chunks, left, right, shared, sums);
    };
    if (kSigns && loss.kappa != nullptr) {
      // The student's channels come first, and alone they give A_S.
      const StackedChannels channels(nodes.student.C, nodes.teacher.C, /*may_pair=*/false);
      WarpSums<Math, StreamTile> sums;
      products(channels, channels.student_chunks(), sums);
      sums.for_each_pair([&](int row, int column, auto x, auto y) {
        student += made.summand(row, column, to_double(x));
        student += made.summand(row, column + 1, to_double(y));
      });
    }
    const StackedChannels channels(nodes.student.C, nodes.teacher.C);
    WarpSums<Math, StreamTile> sums;
    products(channels, channels.chunks(), sums);
    sums.for_each_pair([&](int row, int column, auto x, auto y) {
      total +=
          made.summand(row, column, to_double(x)) + made.summand(row, column + 1, to_double(y));
      if (!want_grad) return;
      gaps[row * kTileNodes + column] = value_as<T>(made.factor(row, column, x));
      gaps[row * kTileNodes + column + 1] = value_as<T>(made.factor(row, column + 1, y));
    });
    // The next round describes other nodes to those that still read these.
    if (kSigns || want_grad) __syncthreads();
    if (!want_grad) continue;
    NodeCursor<Real> cursor(nodes, group, j0 / kChunk);
    ChannelRows<Real, T, StreamTile::kM, kThreads, false> a(cursor, Source::kStudent, c0);
    MatrixRows<T, kTileNodes, kThreads> b(gaps, 0, kTileNodes);
    block_product(kTileNodes / kChunk, a, b, shared, h);
  }
  if (want_grad) {
    write_grad_tile(nodes, out, group, i0, c0, h, tile[0], reinterpret_cast<Epilogue<T>*>(shared));
  }
  if (c0 != 0) return;
  total = block_sum<kThreads>(total);
  if (kSigns) {
    student = block_sum<kThreads>(student);
  } else {
    student = i0 == 0 ? loss.groups[group].student : 0.0;
  }
  if (threadIdx.x == 0) pairs.sums[block] = {total, student, 0.0};
  end_pairs<kThreads, Cancels::kNothing>(nodes, group, pairs.sums, pairs.tiles, loss);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH
