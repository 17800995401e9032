// cuda/pairwise/pairs.cuh: the sum over pairs, pair by pair, for groups with fewer nodes than both
// maps have channels together. The N x N gaps are no larger than the C x C matrices would be; kept
// for the gradient, each is computed once and for its mirror image, too. Larger groups of f64
// inputs whose norms cancel keep none: each gap is used at once.
#ifndef STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH
#define STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH

#include "cuda/pairwise/grad.cuh"

namespace structkd::cuda {
namespace {

using PairTile = BlockTile<kTileNodes, kTileNodes, 32, 32, 2>;

struct Pairs {
  int64_t tiles, slots;  // of nodes; slots: tiles on and above the diagonal
  void* gaps;            // [groups, pitch, pitch] operands: A_S - A_T
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

// what      gap_ij of all pairs of a tile, their squares, and with want_student those of A_S; ends
//           the loss
// mapping   block = 64 x 64 pairs on or above the diagonal, four warps of 32 x 32
// traffic   a block reads 128 nodes, 512 (Cs + Ct) bytes of f32; writes its gaps and their mirror
//           image
// shared    two buffers of 2 x 16 x 68 operands: 34 KB of f64; no bank conflicts but of f32
//           channels-last maps (lane_row)
template <class Real, class Math>
__global__ void __launch_bounds__(PairTile::kThreads, PairTile::kBlocks)
    pairwise_pairs_tile_per_block_kernel(
        Nodes<Real> nodes, Pairs pairs, LossOut loss, bool want_student, bool want_grad) {
  using T = typename Math::Operand;
  constexpr int kThreads = PairTile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [2]);
  int64_t slot = blockIdx.x % pairs.slots, I = 0;
  const int64_t group = blockIdx.x / pairs.slots;
  for (; slot >= pairs.tiles - I; ++I) slot -= pairs.tiles - I;
  const int64_t i0 = I * kTileNodes, j0 = (I + slot) * kTileNodes, count = nodes.group_nodes();
  describe_nodes(nodes, group, i0, tile[0]);
  describe_nodes(nodes, group, j0, tile[1]);
  __syncthreads();

  const auto products = [&](const StackedChannels& channels, int64_t chunks,
                            WarpSums<Math, PairTile>& sums) {
    NodeColumns<Real, T, Side::kLeft, kThreads> a(nodes, tile[0], count - i0, channels);
    NodeColumns<Real, T, Side::kRight, kThreads> b(nodes, tile[1], count - j0, channels);
    block_product(chunks, a, b, shared, sums);
  };
  const auto squares = [&](const WarpSums<Math, PairTile>& sums) {
    double sum = 0.0;
    sums.for_each_pair([&](int, int, auto x, auto y) {
      sum += to_double(x) * to_double(x) + to_double(y) * to_double(y);
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
    student = squares(sums);
  }
  const StackedChannels channels(nodes.student.C, nodes.teacher.C);
  WarpSums<Math, PairTile> sums;
  products(channels, channels.chunks(), sums);
  const double gaps = squares(sums);
  if (threadIdx.x == 0) pairs.sums[blockIdx.x] = {gaps, student, 0.0};
  if (want_grad) {
    T* out = static_cast<T*>(pairs.gaps) + group * pairs.pitch * pairs.pitch;
    sums.for_each_pair([&](int row, int column, auto x, auto y) {
      const int64_t i = i0 + row, j = j0 + column;
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
    pairwise_pairs_grad_tile_per_block_kernel(Nodes<Real> nodes, Pairs pairs, GradOut out) {
  using T = typename Math::Operand;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  const int64_t c0 = blockIdx.x % out.tiles * Tile::kM, block = blockIdx.x / out.tiles;
  const int64_t group = block / pairs.tiles, i0 = block % pairs.tiles * kTileNodes;
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

// The gaps of streamed pairs, of which each block has one tile at a time.
struct StreamedPairs {
  int64_t tiles;          // of nodes
  int64_t channel_tiles;  // of the gradient, or 1
  double* gaps;           // [groups, tiles, channel_tiles, kTileNodes, kTileNodes]
  PairSums* sums;         // [groups, tiles]

  StreamedPairs(const Nodes<double>& nodes, bool want_grad, Workspace& workspace)
      : tiles(divide_up(nodes.group_nodes(), kTileNodes)),
        channel_tiles(want_grad ? divide_up(nodes.student.C, StreamTile::kM) : 1) {
    gaps = workspace.take<double>(want_grad ? blocks(nodes) * kTileNodes * kTileNodes : 0);
    sums = workspace.take<PairSums>(nodes.groups * tiles);
  }

  int64_t blocks(const Nodes<double>& nodes) const { return nodes.groups * tiles * channel_tiles; }
};

// what      value and h = S gap of groups whose norms cancel; blocks of the others leave at once
// mapping   block = kM channels x 64 nodes, beside all nodes of the group, one tile of them after
//           the other
// traffic   a block reads all nodes of the group, and kM of their channels once more; writes and
//           reads a gap per pair of its nodes, in the second-level cache
// shared    as pairwise_gram_grad_tile_per_block_kernel with kM = 64
template <class Math>
__global__ void __launch_bounds__(StreamTile::kThreads, StreamTile::kBlocks)
    pairwise_streamed_tile_per_block_kernel(
        Nodes<double> nodes, StreamedPairs pairs, LossOut loss, GradOut out, bool want_grad) {
  constexpr int kThreads = StreamTile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(double, shared);
  STRUCTKD_SHARED(NodeTile<double>, tile, [2]);
  const int64_t c0 = blockIdx.x % pairs.channel_tiles * StreamTile::kM;
  const int64_t block = blockIdx.x / pairs.channel_tiles, group = block / pairs.tiles;
  if (nodes.cancelled[group] == 0) return;
  const int64_t i0 = block % pairs.tiles * kTileNodes, count = nodes.group_nodes();
  double* gaps = pairs.gaps + int64_t(blockIdx.x) * (kTileNodes * kTileNodes);
  const StackedChannels channels(nodes.student.C, nodes.teacher.C);
  describe_nodes(nodes, group, i0, tile[0]);
  double squares = 0.0;
  WarpSums<Math, StreamTile> h;
  for (int64_t j0 = 0; j0 < count; j0 += kTileNodes) {
    describe_nodes(nodes, group, j0, tile[1]);
    __syncthreads();
    NodeColumns<double, double, Side::kLeft, kThreads> left(nodes, tile[1], count - j0, channels);
    NodeColumns<double, double, Side::kRight, kThreads> right(nodes, tile[0], count - i0, channels);
    WarpSums<Math, StreamTile> sums;
    block_product(channels.chunks(), left, right, shared, sums);
    sums.for_each_pair([&](int row, int column, double x, double y) {
      squares += x * x + y * y;
      if (!want_grad) return;
      gaps[row * kTileNodes + column] = x;
      gaps[row * kTileNodes + column + 1] = y;
    });
    if (!want_grad) continue;
    __syncthreads();
    NodeCursor<double> cursor(nodes, group, j0 / kChunk);
    ChannelRows<double, double, StreamTile::kM, kThreads, false> a(cursor, Source::kStudent, c0);
    MatrixRows<double, kTileNodes, kThreads> b(gaps, 0, kTileNodes);
    block_product(kTileNodes / kChunk, a, b, shared, h);
  }
  if (want_grad) write_grad_tile(nodes, out, group, i0, c0, h, tile[0], shared);
  if (c0 != 0) return;
  squares = block_sum<kThreads>(squares);
  if (threadIdx.x == 0) {
    pairs.sums[block] = {squares, i0 == 0 ? loss.groups[group].student : 0.0, 0.0};
  }
  end_pairs<kThreads, Cancels::kNothing>(nodes, group, pairs.sums, pairs.tiles, loss);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_PAIRS_CUH
