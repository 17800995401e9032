// cuda/pairwise/gram.cuh: the sum over pairs from C x C matrices, no N x N anywhere: for groups
// with more nodes than both maps have channels together.
//
// With unit vectors as columns of S [Cs, N] and T [Ct, N], and D = S - T:
//   sum = |SS'|^2 - 2 |TS'|^2 + |TT'|^2              dS ~ (SS') S - (TS')' T
//       = ( <UU', DD'> + <K, K'> ) / 2, U = 2S - D, K = UD'            dS ~ (DS')' S + (TS')' D
// The first line loses kappa^2 of the precision of its products: f64 or two-float. The second takes
// f32 or TF32 where D is small, unless K is nearly antisymmetric: where the student is the teacher
// turned, D is large and the affinities are equal. The reduction tells, and the first line follows.
// The second line's gradient is used wherever Cs = Ct. Where the norms of the first line cancel in
// f64 inputs, which the reduction tells as well, pairs follow (pairs.cuh).
#ifndef STRUCTKD_CUDA_PAIRWISE_GRAM_CUH
#define STRUCTKD_CUDA_PAIRWISE_GRAM_CUH

#include "cuda/pairwise/loss.cuh"
#include "cuda/pairwise/operands.cuh"

namespace structkd::cuda {
namespace {

// Tiles of the matrices. Large ones convert and read less per product: at the full rate of f64
// tensor cores a warp with 64 x 32 sums keeps the conversion pipe of sm_90 (16 lanes per clock)
// busy for 0.38 of the time, one with 32 x 32 for 0.50. Small ones fit few channels, and kinds of
// arithmetic that need more registers.
using SmallGramTile = BlockTile<64, 64, 32, 32, 2>;
using LargeGramTile = BlockTile<128, 64, 64, 32, 2>;
// TF32 is bounded by reads from the second-level cache and takes two large tiles side by side.
using DoubleGramTile = BlockTile<128, 128, 64, 32, 1>;

// Matrices of one arithmetic. O stands for T, or for D; rows are stacked [O; S], each padded to
// whole tiles, and only tiles that touch the upper triangle exist.
struct Gram {
  int64_t Cs, Ct;
  int64_t tile_rows;   // 64 or 128; a tile has 64 columns
  int64_t other_rows;  // of O, padded
  int64_t tiles;       // in a row
  int64_t slots;       // tiles that exist
  int64_t splits;      // of the nodes of a group
  double* partial;     // [groups, splits, slots, tile_rows, 64]
  void* coefficients;  // [groups, coefficient_rows, coefficient_pitch] operands
  int64_t coefficient_rows, coefficient_pitch;
  PairSums* sums;  // [groups, sum_blocks]
  int64_t sum_blocks;

  static constexpr int kTileColumns = 64;
  static constexpr int64_t kRowsPerBlock = 8;

  template <class Real>
  Gram(const Nodes<Real>& nodes, bool may_be_large, bool want_grad, Workspace& workspace)
      : Cs(nodes.student.C), Ct(nodes.teacher.C) {
    set_tiles(64);
    const int64_t small_slots = slots;
    set_tiles(128);
    // A large tile is two small ones: up to 15 % more products for padding are a gain.
    if (!may_be_large || 100 * 2 * slots > 115 * small_slots) set_tiles(64);
    splits = best_splits(divide_up(nodes.group_nodes(), kChunk), slots * nodes.groups);
    partial = workspace.take<double>(nodes.groups * splits * slots * tile_rows * kTileColumns);
    sum_blocks = column_blocks() * (column_blocks() * kWarp / rows_per_block());
    sums = workspace.take<PairSums>(nodes.groups * sum_blocks);
    coefficient_rows = StackedChannels(Cs, Ct).chunks() * kChunk;
    coefficient_pitch = divide_up(Cs, kWarp) * kWarp;
    coefficients =
        workspace.take<double>(want_grad ? nodes.groups * coefficient_rows * coefficient_pitch : 0);
  }

  __host__ __device__ int64_t column_blocks() const { return divide_up(Cs > Ct ? Cs : Ct, kWarp); }
  // The reduction gives its warps rows of the matrix, or, where there are many, shares of the
  // splits.
  __host__ __device__ int64_t rows_per_block() const {
    return splits >= kRowsPerBlock ? 1 : kRowsPerBlock;
  }

  // The first tile of row I of tiles that touches the upper triangle.
  __host__ __device__ __forceinline__ int64_t first_tile(int64_t I) const {
    return I * (tile_rows / kTileColumns);
  }

  // The part of a sum in which rows i and j of the stack meet; nullptr where its tile does not
  // exist.
  __device__ __forceinline__ const double* element(int64_t group, int64_t i, int64_t j) const {
    const int64_t I = i / tile_rows, J = j / kTileColumns;
    if (J < first_tile(I)) return nullptr;
    const int64_t slot = I * tiles - first_tile(I * (I - 1) / 2) + J - first_tile(I);
    return partial + (group * splits * slots + slot) * (tile_rows * kTileColumns) +
           i % tile_rows * kTileColumns + j % kTileColumns;
  }
  __device__ __forceinline__ int64_t split_pitch() const {
    return slots * tile_rows * kTileColumns;
  }

 private:
  // The splits that end soonest on a device of 132 multiprocessors (H100) with two blocks of large
  // tiles each or three of small ones. Fixed, so that results do not depend on the device. To write
  // and read a partial tile takes as long as 10 chunks of products (16 bytes per element at 3.35
  // TB/s, 16 multiply-adds at 33 T/s).
  int64_t best_splits(int64_t chunks, int64_t blocks) const {
    constexpr int64_t kPartialCost = 10, kMostSplits = 512;
    const int64_t at_once = 132 * (tile_rows > 64 ? 2 : 3);
    int64_t best = 1, best_cost = 0;
    for (int64_t s = 1; s <= chunks && s <= kMostSplits; ++s) {
      const int64_t cost = divide_up(blocks * s, at_once) * (divide_up(chunks, s) + kPartialCost);
      if (s > 1 && cost >= best_cost) continue;
      best = s;
      best_cost = cost;
    }
    return best;
  }

  void set_tiles(int64_t rows) {
    tile_rows = rows;
    other_rows = divide_up(Ct, rows) * rows;
    const int64_t all_rows = other_rows + divide_up(Cs, rows) * rows;
    tiles = all_rows / kTileColumns;
    const int64_t I = all_rows / rows;
    slots = I * tiles - first_tile(I * (I - 1) / 2);
  }
};

template <class Real, class Math, int Rows, int Threads, bool Difference>
struct GramRowsOf {
  using type = ChannelRows<Real, typename Math::Operand, Rows, Threads, Difference>;
};
template <class Real, int Rows, int Threads>
struct GramRowsOf<Real, F64Mma, Rows, Threads, false> {
  using type = RawChannelRows<Real, Rows, Threads>;
};
template <class Real, class Math, int Rows, int Threads, bool Difference>
using GramRows = typename GramRowsOf<Real, Math, Rows, Threads, Difference>::type;

// what      partial[split] = rows x rows of [O; S] over a share of the nodes, upper triangle
// mapping   block = one tile over one split. Blocks of the same nodes are neighbours, so that an
//           image is read from the second-level cache. grid = tiles * splits * groups
// traffic   a block reads the channels of its rows and columns, twice where D = S - T is formed on
//           the way; all blocks together 4 N (Cs + Ct) bytes of f32 from DRAM
// shared    two buffers of (rows + columns) x 20 elements, for f64 products the f32 or f64 features
//           themselves: 31 KB of f32 at most; no bank conflicts
// numbers   141 registers (small, f64), 209 (large), nvcc 13.1 for sm_90
template <class Real, class Math, class Tile, bool Difference>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    pairwise_gram_tile_per_block_kernel(Nodes<Real> nodes, Gram gram, When when) {
  using T = typename Math::Operand;
  constexpr int kThreads = Tile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  constexpr int kSlots = Tile::kN / Gram::kTileColumns;  // which are neighbours, also in memory
  const int64_t blocks = gram.slots / kSlots;
  int64_t slot = blockIdx.x % blocks * kSlots, I = 0;
  const int64_t part = blockIdx.x / blocks, group = part / gram.splits;
  if (!works_for<kThreads>(when, nodes, group)) return;
  for (; slot >= gram.tiles - gram.first_tile(I); ++I) slot -= gram.tiles - gram.first_tile(I);
  const int64_t row0 = I * Tile::kM, column0 = (gram.first_tile(I) + slot) * Gram::kTileColumns;

  const auto source = [&](int64_t row) {
    return row >= gram.other_rows ? Source::kStudent
           : Difference           ? Source::kDifference
                                  : Source::kTeacher;
  };
  const auto channel = [&](int64_t row) {
    return row < gram.other_rows ? row : row - gram.other_rows;
  };
  const int64_t chunks = divide_up(nodes.group_nodes(), kChunk), split = part % gram.splits;
  const int64_t begin = chunks * split / gram.splits, end = chunks * (split + 1) / gram.splits;
  NodeCursor<Real> cursor(nodes, group, begin);
  GramRows<Real, Math, Tile::kM, kThreads, Difference> a(cursor, source(row0), channel(row0));
  GramRows<Real, Math, Tile::kN, kThreads, Difference> b(cursor, source(column0), channel(column0));
  WarpSums<Math, Tile> sums;
  block_product(end - begin, a, b, shared, sums);
  double* out = gram.partial + int64_t(blockIdx.x) * (Tile::kM * Tile::kN);
  sums.for_each_pair([&](int row, int column, auto x, auto y) {
    constexpr int kColumns = Gram::kTileColumns;
    const int at = (column / kColumns * Tile::kM + row) * kColumns + column % kColumns;
    *reinterpret_cast<double2*>(out + at) = make_double2(to_double(x), to_double(y));
  });
}

// The coefficients in row i and column j of both matrices, from ss_ij and os_ij.
template <class T, bool Difference>
__device__ __forceinline__ void set_coefficients(
    const Gram& gram, int64_t group, int64_t i, int64_t j, double ss, double os) {
  if (j >= gram.coefficient_pitch) return;
  const StackedChannels channels(gram.Cs, gram.Ct);
  T* out = static_cast<T*>(gram.coefficients) +
           group * gram.coefficient_rows * gram.coefficient_pitch + j;
  const auto set = [&](bool other, double value) {
    T& cell = out[channels.row(other, i) * gram.coefficient_pitch];
    if constexpr (__is_same(T, TwoFloat)) {
      cell = to_two_float(value);
    } else {
      cell = T(value);
    }
  };
  // Up to whole chunks: there everything is 0, as it must be.
  const int64_t student_end = channels.student_end(), other_end = channels.other_end();
  if (channels.paired) {
    if (i < student_end) set(false, Difference ? os : ss - os);
    if (i < other_end) set(true, Difference ? ss - os : os);
  } else {
    if (i < student_end) set(false, ss);
    if (i < other_end) set(true, -os);
  }
}

// what      adds the splits in ascending order; from the matrices the sums over pairs, block by
//           block, and the coefficients that take [s; o] of a node to its gradient; ends the loss
// mapping   lane = column j; warps = 8 rows i, or, with 8 splits and more, eighths of the splits of
//           one row. grid = 32-column blocks * row blocks * groups
// traffic   reads the partial sums once, rows below the diagonal by single sectors; writes 2 Cs^2
//           operands
template <class Real, class Math, bool Difference>
__global__ void __launch_bounds__(kWarp* Gram::kRowsPerBlock) pairwise_gram_reduce_kernel(
    Nodes<Real> nodes, Gram gram, LossOut loss, bool want_grad, When when) {
  constexpr int kWarps = Gram::kRowsPerBlock;
  STRUCTKD_SHARED(double, share, [4][kWarps][kWarp]);
  const int64_t group = blockIdx.x / gram.sum_blocks, block = blockIdx.x % gram.sum_blocks;
  if (!works_for<kWarp * kWarps>(when, nodes, group)) return;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const bool by_rows = gram.rows_per_block() != 1;
  const int64_t column_blocks = gram.column_blocks();
  const int64_t i = block / column_blocks * gram.rows_per_block() + (by_rows ? warp : 0);
  const int64_t j = block % column_blocks * kWarp + lane;
  const int64_t first = by_rows ? 0 : gram.splits * warp / kWarps;
  const int64_t last = by_rows ? gram.splits : gram.splits * (warp + 1) / kWarps;

  const auto sum_of = [&](int64_t row, int64_t column) {
    const double* part = gram.element(group, row, column);
    if (part == nullptr) part = gram.element(group, column, row);  // below the diagonal
    double sum = 0.0;
#pragma unroll 8
    for (int64_t split = first; split < last; ++split) sum += part[split * gram.split_pitch()];
    return sum;
  };
  const int64_t student = gram.other_rows;        // first row of S in the stack
  double ss = 0.0, os = 0.0, so = 0.0, oo = 0.0;  // o_i s_j, s_i o_j
  if (i < gram.Cs && j < gram.Cs) ss = sum_of(student + i, student + j);
  if (i < gram.Ct && j < gram.Cs) os = sum_of(i, student + j);
  if (i < gram.Ct && j < gram.Ct) oo = sum_of(i, j);
  if (Difference && i < gram.Cs && j < gram.Ct) so = sum_of(j, student + i);
  if (!by_rows) {
    share[0][warp][lane] = ss;
    share[1][warp][lane] = os;
    share[2][warp][lane] = oo;
    share[3][warp][lane] = so;
    __syncthreads();
    ss = os = oo = so = 0.0;
    for (int w = 0; w < kWarps && warp == 0; ++w) {
      ss += share[0][w][lane];
      os += share[1][w][lane];
      oo += share[2][w][lane];
      so += share[3][w][lane];
    }
  }

  double gaps, terms = 0.0;
  if (Difference) {
    terms = 0.5 * (4.0 * ss - 2.0 * os - 2.0 * so + oo) * oo;
    gaps = terms + 0.5 * (2.0 * so - oo) * (2.0 * os - oo);
  } else {
    // ss^2 - 2 os^2 + oo^2, exactly 0 where all three are equal.
    gaps = (ss - os) * (ss + os) + (oo - os) * (oo + os);
  }
  gaps = block_sum<kWarp * kWarps>(gaps);
  const double squares = block_sum<kWarp * kWarps>(ss * ss);
  if (Difference) terms = block_sum<kWarp * kWarps>(terms);
  if (threadIdx.x == 0) gram.sums[blockIdx.x] = {gaps, squares, terms};

  if (want_grad && (by_rows || warp == 0)) {
    set_coefficients<typename Math::Operand, Difference>(gram, group, i, j, ss, os);
  }
  constexpr Cancels kCancels = Difference                       ? Cancels::kDifferences
                               : sizeof(Real) == sizeof(double) ? Cancels::kNorms
                                                                : Cancels::kNothing;
  end_pairs<kWarp * kWarps, kCancels>(nodes, group, gram.sums, gram.sum_blocks, loss);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_GRAM_CUH
