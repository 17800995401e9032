// cuda/pairwise/rounded_pairs.cuh: gaps of pairs, and the gradient from them, on tensor cores: from
// differences, sums and the student's unit vectors that lie in memory rounded to bf16 or TF32
// (rounded_nodes.cuh). With D and U of nodes as columns:
//
//   gaps = (D'U + U'D) / 2                  h = S gaps
//
// The two products are kept apart until they are complete, so that the loss is judged by what one of
// them leaves of the other as that of matrices is (loss.cuh): <UU', DD'> is |D'U|^2, and <K, K'> is
// <D'U, U'D>.
#ifndef STRUCTKD_CUDA_PAIRWISE_ROUNDED_PAIRS_CUH
#define STRUCTKD_CUDA_PAIRWISE_ROUNDED_PAIRS_CUH

#include "cuda/pairwise/rounded_gram.cuh"

namespace structkd::cuda {
namespace {

// Pairs of a block. Two sets of 32 x 32 sums are as many registers to a warp as 64 x 32 (RoundedTile).
// 128 columns would read a third less, but their three stages are more than the shared memory of GPUs
// that have 100 KB.
using RoundedPairTile = BlockTile<128, 64, 32, 32, 2>;

struct RoundedPairs {
  int64_t tiles, slots;  // of columns; slots: tiles that touch the upper triangle
  void* gaps;  // operands [groups, pitch, pitch], with the pitch of RoundedNodes; 0 beyond nodes
  PairSums* sums;  // [groups, slots]

  // In a row of tiles the first ones are on the diagonal.
  static constexpr int64_t kOnDiagonal = RoundedPairTile::kM / RoundedPairTile::kN;

  template <class Real>
  RoundedPairs(const Nodes<Real>& nodes,
               const RoundedNodes& rounded_nodes,
               bool want_grad,
               int64_t bytes_of_operand,
               Workspace& workspace)
      : tiles(divide_up(nodes.group_nodes(), RoundedPairTile::kN)) {
    const int64_t rows = divide_up(tiles, kOnDiagonal), pitch = rounded_nodes.pitch;
    slots = rows * tiles - kOnDiagonal * rows * (rows - 1) / 2;
    gaps = workspace.take<char>(want_grad ? nodes.groups * pitch * pitch * bytes_of_operand : 0);
    sums = workspace.take<PairSums>(nodes.groups * slots);
  }
};

// What a stage holds: D and U of the rows, then of the columns.
template <class T>
struct RoundedPairsStage {
  using A = StagedAlongRows<T, RoundedPairTile::kM>;
  using B = StagedAlongRows<T, RoundedPairTile::kN>;
  static constexpr int kRowSums = A::kBytes, kColumns = 2 * A::kBytes;
  static constexpr int kColumnSums = kColumns + B::kBytes, kBytes = kColumnSums + B::kBytes;
};

// what      gap_ij of all pairs of a tile, the sum of their squares, and with want_student that of the
//           A_S; ends the loss, unless the products cancel
// mapping   block = 128 x 64 pairs on or above the diagonal, eight warps of 32 x 32. grid = slots *
//           groups
// traffic   a block reads D and U of 192 nodes: 3/64 byte of bf16, 3/32 of TF32, per multiply-add from
//           the second-level cache; writes its gaps and their mirror image
// shared    three stages of 32 lines of bf16, 16 of TF32, of 2 x 192 numbers, 78 KB; no bank conflicts
// numbers   128 registers, nvcc 13.1 for sm_90: all that two blocks leave, without a spill
template <class Real, class Math>
__global__ void __launch_bounds__(RoundedPairTile::kThreads, RoundedPairTile::kBlocks)
    pairwise_rounded_pairs_tile_per_block_kernel(Nodes<Real> nodes,
                                                 RoundedNodes rounded_nodes,
                                                 RoundedPairs pairs,
                                                 LossOut loss,
                                                 bool want_student,
                                                 bool want_grad) {
  using T = typename Math::Operand;
  using Tile = RoundedPairTile;
  using Sums = WarpSums<Math, Tile>;
  using Stage = RoundedPairsStage<T>;
  using A = typename Stage::A;
  using B = typename Stage::B;
  STRUCTKD_DYNAMIC_SHARED(char, shared);
  int64_t slot = blockIdx.x % pairs.slots, first = 0;
  const int64_t group = blockIdx.x / pairs.slots;
  for (; slot >= pairs.tiles - first; first += pairs.kOnDiagonal) slot -= pairs.tiles - first;
  const int64_t i0 = first * Tile::kN, j0 = (first + slot) * Tile::kN;
  const int64_t count = nodes.group_nodes(), pitch = rounded_nodes.pitch;
  const bool on_diagonal = slot < pairs.kOnDiagonal;
  const LinesOfRows<T, Tile::kM, Tile::kThreads> rows(rounded_nodes.of_group<T>(group), i0, pitch);
  const LinesOfRows<T, Tile::kN, Tile::kThreads> columns(rounded_nodes.of_group<T>(group), j0,
                                                         pitch);
  const auto inside = [&](int row, int column) { return i0 + row < count && j0 + column < count; };
  // Sum over the pairs of the tile. One off the diagonal stands for its mirror image, too.
  const auto total = [&](auto sum, const Sums& sums) {
    using Number = decltype(sum);
    sums.for_each_pair([&](int row, int column, float x, float y) {
      if (inside(row, column)) sum += Number(x) * Number(x);
      if (inside(row, column + 1)) sum += Number(y) * Number(y);
    });
    return block_sum<Tile::kThreads>(on_diagonal ? double(sum) : 2.0 * double(sum));
  };
  // Of D; then come as many chunks of U, and of S.
  const int chunks = int(rounded_nodes.channels / kDepth<T>);
  double student = 0.0;
  if (want_student) {
    Sums sums;
    pipeline<A::kBytes + B::kBytes>(
        chunks, shared,
        [&](int q, char* staged) {
          rows.fetch(2 * chunks + q, staged);
          columns.fetch(2 * chunks + q, staged + A::kBytes);
        },
        [&](const char* staged) { multiply_chunk<A, B>(staged, staged + A::kBytes, sums); });
    student = total(0.0, sums);
  }
  Sums du, ud;
  pipeline<Stage::kBytes>(
      chunks, shared,
      [&](int q, char* staged) {
        rows.fetch(q, staged);
        rows.fetch(chunks + q, staged + Stage::kRowSums);
        columns.fetch(q, staged + Stage::kColumns);
        columns.fetch(chunks + q, staged + Stage::kColumnSums);
      },
      [&](const char* staged) {
        multiply_chunk<A, B>(staged, staged + Stage::kColumnSums, du);
        multiply_chunk<A, B>(staged + Stage::kRowSums, staged + Stage::kColumns, ud);
      });
  // They only judge: f32 will do.
  const double terms = 0.25 * (total(0.0f, du) + total(0.0f, ud));
#pragma unroll
  for (int r = 0; r < Sums::R; ++r) {
#pragma unroll
    for (int c = 0; c < Sums::C; ++c) {
#pragma unroll
      for (int i = 0; i < 4; ++i) du.sum[r][c][i] = 0.5f * (du.sum[r][c][i] + ud.sum[r][c][i]);
    }
  }
  const double gaps = total(0.0, du);
  if (threadIdx.x == 0) pairs.sums[blockIdx.x] = {gaps, student, terms};
  if (want_grad) {
    T* out = static_cast<T*>(pairs.gaps) + group * pitch * pitch;
    du.for_each_pair([&](int row, int column, float x, float y) {
      const int64_t i = i0 + row, j = j0 + column;
      if (i >= pitch || j >= pitch) return;
      const T left = rounded<T>(inside(row, column) ? x : 0.0f);
      const T right = rounded<T>(inside(row, column + 1) ? y : 0.0f);
      out[i * pitch + j] = left;
      out[i * pitch + j + 1] = right;
      if (on_diagonal) return;
      out[j * pitch + i] = left;
      out[(j + 1) * pitch + i] = right;
    });
  }
  end_pairs<Tile::kThreads, Cancels::kRoundedDifferences>(nodes, group, pairs.sums, pairs.slots,
                                                          loss);
}

// what      h = S gaps: the gradient from the gaps of pairs
// mapping   block = 128 channels x 128 nodes; blocks of the same nodes are neighbours. grid = channel
//           tiles * node tiles * groups
// traffic   a block reads 128 channels of S of all nodes and 128 rows of the gaps; at the end the
//           student, for the norm's part
// shared    three stages of 2 x 128 rows of 64 bytes, 48 KB, then the tile of 128 x 128 f32, 64 KB; no
//           bank conflicts
// numbers   128 registers, nvcc 13.1 for sm_90
template <class Real, class Math>
__global__ void __launch_bounds__(RoundedTile::kThreads, RoundedTile::kBlocks)
    pairwise_rounded_pairs_grad_tile_per_block_kernel(Nodes<Real> nodes,
                                                      RoundedNodes rounded_nodes,
                                                      RoundedPairs pairs,
                                                      GradOut out) {
  using T = typename Math::Operand;
  using Rows = RowsAlongK<T, RoundedTile::kM, RoundedTile::kThreads>;
  STRUCTKD_DYNAMIC_SHARED(char, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  const int64_t c0 = blockIdx.x % out.tiles * RoundedTile::kM, block = blockIdx.x / out.tiles;
  const int64_t count = nodes.group_nodes(), node_tiles = divide_up(count, RoundedTile::kN);
  const int64_t group = block / node_tiles, i0 = block % node_tiles * RoundedTile::kN;
  if (nodes.cancelled[group] != 0) return;
  describe_nodes(nodes, group, i0, tile[0]);
  const int64_t pitch = rounded_nodes.pitch;
  const T* students = rounded_nodes.of_group<T>(group) + 2 * rounded_nodes.channels * pitch;
  const T* gaps = static_cast<const T*>(pairs.gaps) + group * pitch * pitch;
  const Rows a([&](int row) -> const T* {
    return c0 + row < rounded_nodes.C ? students + (c0 + row) * pitch : nullptr;
  });
  // Row i of the gaps is their column i.
  const Rows b(
      [&](int row) -> const T* { return i0 + row < count ? gaps + (i0 + row) * pitch : nullptr; });
  WarpSums<Math, RoundedTile> sums;
  pipelined_product(int(pitch / kDepth<T>), a, b, shared, sums);
  write_grad_tile(nodes, out, group, i0, c0, sums, tile[0], reinterpret_cast<float*>(shared));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_ROUNDED_PAIRS_CUH
