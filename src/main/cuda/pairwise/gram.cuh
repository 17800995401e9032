// cuda/pairwise/gram.cuh: the sum over pairs from C x C matrices, no N x N anywhere: for groups
// with more nodes than both maps have channels together.
//
// With unit vectors as columns of S [Cs, N] and T [Ct, N], and D = S - T:
//   sum = |SS'|^2 - 2 |TS'|^2 + |TT'|^2              dS ~ (SS') S - (TS')' T
//       = ( <UU', DD'> + <K, K'> ) / 2, U = 2S - D, K = UD'            dS ~ (DS')' S + (TS')' D
// The first line loses kappa^2 of the precision of its products: f64 or two-float. The second takes
// f32 where D is small, and D and U rounded to bf16 or TF32 however large it is (rounded_gram.cuh),
// unless K is nearly antisymmetric: where the student is the teacher turned, D is large and the
// affinities are equal. The reduction tells, and the first line follows.
// With FAST the first line, too, takes unit vectors rounded to TF32, where Cs != Ct and the norms
// cancel little.
// The second line's gradient is used wherever Cs = Ct. Where the norms of the first line cancel in
// f64 inputs, which the reduction tells as well, pairs follow (pairs.cuh).
#ifndef STRUCTKD_CUDA_PAIRWISE_GRAM_CUH
#define STRUCTKD_CUDA_PAIRWISE_GRAM_CUH

#include "cuda/common/tensor_product.cuh"
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

// What the rows of the matrices are: two of T, S, D = S - T and U = S + T, one on the other; whether
// they lie in memory rounded; what parts of their sums are kept in, and what the loss may lose.
struct TeacherStudent {
  using Part = double;
  static constexpr bool kDifferences = false, kRounded = false;
  template <class Real>
  static constexpr Cancels kCancels =
      sizeof(Real) == sizeof(double) ? Cancels::kNorms : Cancels::kNothing;
};
struct DifferenceStudent {
  using Part = double;
  static constexpr bool kDifferences = true, kRounded = false;
  template <class Real>
  static constexpr Cancels kCancels = Cancels::kDifferences;
};
struct DifferenceSum {
  using Part = float;
  static constexpr bool kDifferences = true, kRounded = true;
  template <class Real>
  static constexpr Cancels kCancels = Cancels::kRoundedDifferences;
};
struct RoundedTeacherStudent {
  using Part = float;
  static constexpr bool kDifferences = false, kRounded = true;
  template <class Real>
  static constexpr Cancels kCancels = Cancels::kRoundedNorms;
};

// Matrices of one arithmetic. O stands for T, or for D, and S for U where D and U are stacked; rows
// are stacked [O; S], each padded to whole tiles, or to 64 rows of tiles of 128 x 128. Only tiles
// that touch the upper triangle exist.
struct Gram {
  int64_t Cs, Ct;
  int64_t tile_rows, tile_columns;  // 64 x 64, 128 x 64 or 128 x 128
  int64_t other_rows;               // of O, padded
  int64_t tiles;                    // in a row
  int64_t slots;                    // tiles that exist
  int64_t splits;                   // of the nodes of a group
  void* partial;  // f64, or f32 of rounded operands [groups, splits, slots, tile_rows, columns]
  void* coefficients;  // [groups, coefficient_rows, coefficient_pitch] operands
  int64_t coefficient_rows, coefficient_pitch;
  PairSums* sums;  // [groups, sum_blocks]
  int64_t sum_blocks;

  static constexpr int64_t kRowsPerBlock = 8;

  // For products in f64 or f32, or two floats.
  template <class Real>
  static Gram exact(const Nodes<Real>& nodes,
                    bool may_be_large,
                    bool want_grad,
                    Workspace& workspace) {
    Gram gram(nodes);
    gram.set_tiles(64, 64, 64);
    const int64_t small_slots = gram.slots;
    gram.set_tiles(128, 64, 128);
    // A large tile is two small ones: up to 15 % more products for padding are a gain.
    if (!may_be_large || 100 * 2 * gram.slots > 115 * small_slots) gram.set_tiles(64, 64, 64);
    const int64_t rows = StackedChannels(gram.Cs, gram.Ct).chunks() * kChunk;
    gram.lay_out<double>(nodes, kChunk, gram.tile_rows > 64 ? 2 : 3, rows, want_grad, workspace);
    return gram;
  }

  // For products of rounded operands, in tiles of 128 x 128, two blocks to a multiprocessor.
  template <class Real>
  static Gram of_rounded(const Nodes<Real>& nodes, bool want_grad, Workspace& workspace) {
    Gram gram(nodes);
    gram.set_tiles(128, 128, 64);
    const int64_t rows = (divide_up(gram.Ct, kWarp) + divide_up(gram.Cs, kWarp)) * kWarp;
    gram.lay_out<float>(nodes, kStrip, 2, rows, want_grad, workspace);
    return gram;
  }

  __host__ __device__ int64_t column_blocks() const { return divide_up(Cs > Ct ? Cs : Ct, kWarp); }
  // The reduction gives its warps rows of the matrix, or, where there are many, shares of the
  // splits.
  __host__ __device__ int64_t rows_per_block() const {
    return splits >= kRowsPerBlock ? 1 : kRowsPerBlock;
  }

  // The first tile of row I of tiles that touches the upper triangle.
  __host__ __device__ __forceinline__ int64_t first_tile(int64_t I) const {
    return I * (tile_rows / tile_columns);
  }

  // The part of a sum in which rows i and j of the stack meet; nullptr where its tile does not
  // exist.
  template <class Part>
  __device__ __forceinline__ const Part* element(int64_t group, int64_t i, int64_t j) const {
    const int64_t I = i / tile_rows, J = j / tile_columns;
    if (J < first_tile(I)) return nullptr;
    const int64_t slot = I * tiles - first_tile(I * (I - 1) / 2) + J - first_tile(I);
    return static_cast<const Part*>(partial) +
           (group * splits * slots + slot) * (tile_rows * tile_columns) +
           i % tile_rows * tile_columns + j % tile_columns;
  }
  __device__ __forceinline__ int64_t split_pitch() const {
    return slots * tile_rows * tile_columns;
  }

  // Where the tile of a slot begins.
  struct Place {
    int64_t row, column;
  };
  __device__ __forceinline__ Place tile_of(int64_t slot) const {
    int64_t I = 0;
    for (; slot >= tiles - first_tile(I); ++I) slot -= tiles - first_tile(I);
    return {I * tile_rows, (first_tile(I) + slot) * tile_columns};
  }

 private:
  template <class Real>
  explicit Gram(const Nodes<Real>& nodes) : Cs(nodes.student.C), Ct(nodes.teacher.C) {}

  template <class Part, class Real>
  void lay_out(const Nodes<Real>& nodes,
               int64_t chunk,
               int64_t blocks_at_once,
               int64_t rows,
               bool want_grad,
               Workspace& workspace) {
    splits = best_splits(divide_up(nodes.group_nodes(), chunk), slots * nodes.groups,
                         132 * blocks_at_once);
    partial = workspace.take<Part>(nodes.groups * splits * slots * tile_rows * tile_columns);
    sum_blocks = column_blocks() * (column_blocks() * kWarp / rows_per_block());
    sums = workspace.take<PairSums>(nodes.groups * sum_blocks);
    coefficient_rows = rows;
    coefficient_pitch = divide_up(Cs, kWarp) * kWarp;
    // An operand is no larger than a part of a sum.
    coefficients =
        workspace.take<Part>(want_grad ? nodes.groups * coefficient_rows * coefficient_pitch : 0);
  }

  // The splits that end soonest on a device of 132 multiprocessors (H100). Fixed, so that results
  // do not depend on the device. To write and read a partial tile takes as long as 10 chunks of
  // products: in f64 (16 bytes per element at 3.35 TB/s, 16 multiply-adds at 33 T/s), and of rounded
  // operands (8 bytes, 32 multiply-adds at some 130 T/s) as well.
  static int64_t best_splits(int64_t chunks, int64_t blocks, int64_t at_once) {
    constexpr int64_t kPartialCost = 10, kMostSplits = 512;
    int64_t best = 1, best_cost = 0;
    for (int64_t s = 1; s <= chunks && s <= kMostSplits; ++s) {
      const int64_t cost = divide_up(blocks * s, at_once) * (divide_up(chunks, s) + kPartialCost);
      if (s > 1 && cost >= best_cost) continue;
      best = s;
      best_cost = cost;
    }
    return best;
  }

  void set_tiles(int64_t rows, int64_t columns, int64_t padded_to) {
    tile_rows = rows;
    tile_columns = columns;
    other_rows = divide_up(Ct, padded_to) * padded_to;
    const int64_t all_rows = other_rows + divide_up(Cs, padded_to) * padded_to;
    tiles = divide_up(all_rows, columns);
    const int64_t I = divide_up(all_rows, rows);
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
  const int64_t part = blockIdx.x / gram.slots, group = part / gram.splits;
  if (!works_for<kThreads>(when, nodes, group)) return;
  const auto [row0, column0] = gram.tile_of(blockIdx.x % gram.slots);

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
  double* out = static_cast<double*>(gram.partial) + int64_t(blockIdx.x) * (Tile::kM * Tile::kN);
  sums.for_each_pair([&](int row, int column, auto x, auto y) {
    *reinterpret_cast<double2*>(out + row * Tile::kN + column) =
        make_double2(to_double(x), to_double(y));
  });
}

// The sums in which rows i and j of the two parts of the stack meet.
struct Meeting {
  double ss, os, so, oo;  // os: o_i s_j, so: s_i o_j
};

// The coefficients in row i and column j of both matrices.
template <class T, class Stack>
__device__ __forceinline__ void set_coefficients(
    const Gram& gram, int64_t group, int64_t i, int64_t j, const Meeting& m) {
  if (j >= gram.coefficient_pitch) return;
  T* out = static_cast<T*>(gram.coefficients) +
           group * gram.coefficient_rows * gram.coefficient_pitch + j;
  const auto set = [&](int64_t row, double value) {
    T& cell = out[row * gram.coefficient_pitch];
    if constexpr (__is_same(T, TwoFloat)) {
      cell = to_two_float(value);
    } else if constexpr (Stack::kRounded) {
      cell = rounded<T>(float(value));
    } else {
      cell = T(value);
    }
  };
  // Up to whole chunks: there everything is 0, as it must be.
  if constexpr (Stack::kRounded) {
    const int64_t students = gram.coefficient_pitch, others = gram.coefficient_rows - students;
    if (i < others) set(i, Stack::kDifferences ? 0.25 * (m.ss + m.so) : -m.os);
    if (i < students) set(others + i, Stack::kDifferences ? 0.25 * (m.os + m.oo) : m.ss);
  } else {
    constexpr bool kDifference = Stack::kDifferences;
    const StackedChannels channels(gram.Cs, gram.Ct);
    const bool student = i < channels.student_end(), other = i < channels.other_end();
    if (channels.paired) {
      if (student) set(channels.row(false, i), kDifference ? m.os : m.ss - m.os);
      if (other) set(channels.row(true, i), kDifference ? m.ss - m.os : m.os);
    } else {
      if (student) set(channels.row(false, i), m.ss);
      if (other) set(channels.row(true, i), -m.os);
    }
  }
}

// The share of row i and column j in the sums over pairs.
template <class Stack>
__device__ __forceinline__ PairSums pair_sums(const Meeting& m) {
  if constexpr (__is_same(Stack, TeacherStudent)) {
    // ss^2 - 2 os^2 + oo^2, exactly 0 where all three are equal.
    return {(m.ss - m.os) * (m.ss + m.os) + (m.oo - m.os) * (m.oo + m.os), m.ss * m.ss, 0.0};
  } else if constexpr (__is_same(Stack, DifferenceStudent)) {
    const double terms = 0.5 * (4.0 * m.ss - 2.0 * m.os - 2.0 * m.so + m.oo) * m.oo;
    return {terms + 0.5 * (2.0 * m.so - m.oo) * (2.0 * m.os - m.oo), m.ss * m.ss, terms};
  } else if constexpr (__is_same(Stack, RoundedTeacherStudent)) {
    const double terms = m.ss * m.ss + m.oo * m.oo;
    return {terms - 2.0 * m.os * m.os, m.ss * m.ss, terms};
  } else {
    const double terms = 0.5 * m.ss * m.oo, student = 0.25 * (m.ss + m.so + m.os + m.oo);
    return {terms + 0.5 * m.so * m.os, student * student, terms};
  }
}

// what      adds the splits in ascending order; from the matrices the sums over pairs, block by
//           block, and the coefficients that take [s; o] of a node to its gradient; ends the loss
// mapping   lane = column j; warps = 8 rows i, or, with 8 splits and more, eighths of the splits of
//           one row. grid = 32-column blocks * row blocks * groups
// traffic   reads the partial sums once, rows below the diagonal by single sectors; writes 2 Cs^2
//           operands
template <class Real, class Math, class Stack>
__global__ void __launch_bounds__(kWarp* Gram::kRowsPerBlock) pairwise_gram_reduce_kernel(
    Nodes<Real> nodes, Gram gram, LossOut loss, bool want_grad, When when) {
  using Part = typename Stack::Part;
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
    const Part* part = gram.element<Part>(group, row, column);
    if (part == nullptr) part = gram.element<Part>(group, column, row);  // below the diagonal
    double sum = 0.0;
#pragma unroll 8
    for (int64_t split = first; split < last; ++split) {
      sum += double(part[split * gram.split_pitch()]);
    }
    return sum;
  };
  const int64_t student = gram.other_rows;  // first row of S in the stack
  Meeting m = {0.0, 0.0, 0.0, 0.0};
  if (i < gram.Cs && j < gram.Cs) m.ss = sum_of(student + i, student + j);
  if (i < gram.Ct && j < gram.Cs) m.os = sum_of(i, student + j);
  if (i < gram.Ct && j < gram.Ct) m.oo = sum_of(i, j);
  if (Stack::kDifferences && i < gram.Cs && j < gram.Ct) {
    m.so = sum_of(j, student + i);
  }
  if (!by_rows) {
    share[0][warp][lane] = m.ss;
    share[1][warp][lane] = m.os;
    share[2][warp][lane] = m.oo;
    share[3][warp][lane] = m.so;
    __syncthreads();
    m = {0.0, 0.0, 0.0, 0.0};
    for (int w = 0; w < kWarps && warp == 0; ++w) {
      m.ss += share[0][w][lane];
      m.os += share[1][w][lane];
      m.oo += share[2][w][lane];
      m.so += share[3][w][lane];
    }
  }

  PairSums sums = pair_sums<Stack>(m);
  sums.gaps = block_sum<kWarp * kWarps>(sums.gaps);
  sums.student = block_sum<kWarp * kWarps>(sums.student);
  constexpr Cancels kCancels = Stack::template kCancels<Real>;
  if (kMostTermsOf<kCancels> > 0.0) sums.terms = block_sum<kWarp * kWarps>(sums.terms);
  if (threadIdx.x == 0) gram.sums[blockIdx.x] = sums;

  if (want_grad && (by_rows || warp == 0)) {
    set_coefficients<typename Math::Operand, Stack>(gram, group, i, j, m);
  }
  end_pairs<kWarp * kWarps, kCancels>(nodes, group, gram.sums, gram.sum_blocks, loss);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_GRAM_CUH
