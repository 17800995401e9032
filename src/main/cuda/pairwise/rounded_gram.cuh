// cuda/pairwise/rounded_gram.cuh: matrices and gradient from what lies in memory rounded to bf16 or
// TF32 (rounded_nodes.cuh): nothing but products on tensor cores, with sums in f32. With D and U, or
// T and S, as stacked in gram.cuh:
//
//   h = ( (UU' + UD') D + (DU' + DD') U ) / 4 = gaps' S      one [C x 2C] x [2C x N] product
//   h = (SS') S - (TS')' T                                   [Cs x (Cs + Ct)] x [(Cs + Ct) x N]
#ifndef STRUCTKD_CUDA_PAIRWISE_ROUNDED_GRAM_CUH
#define STRUCTKD_CUDA_PAIRWISE_ROUNDED_GRAM_CUH

#include "cuda/pairwise/grad.cuh"
#include "cuda/pairwise/rounded_nodes.cuh"

namespace structkd::cuda {
namespace {

// Of the matrices, and of channels x nodes of the gradient: 128 x 128 reads 1/32 byte of bf16, 1/16 of
// TF32, per multiply-add from the second-level cache, which bounds them (docs/gpu.md). Sixteen warps
// on a multiprocessor hide how long a product takes.
using RoundedTile = BlockTile<128, 128, 64, 32, 2>;

// what      partial[split] = rows x rows of [D; U], or [T; S], over a share of the nodes, upper triangle
// mapping   block = one tile over one split. Blocks of the same nodes are neighbours, so that an
//           image is read from the second-level cache. grid = tiles * splits * groups
// traffic   a block reads the channels of its rows and columns; all blocks together 2 N (Ct + Cs)
//           bytes of bf16 and 4 N (Ct + Cs) of TF32 from DRAM; writes 4 bytes per sum
// shared    three stages of (rows + columns) x 64 bytes, 48 KB; no bank conflicts
// numbers   128 registers, nvcc 13.1 for sm_90: all that two blocks leave, without a spill
template <class Math>
__global__ void __launch_bounds__(RoundedTile::kThreads, RoundedTile::kBlocks)
    pairwise_rounded_gram_tile_per_block_kernel(RoundedNodes nodes,
                                                int64_t group_nodes,
                                                Gram gram) {
  using T = typename Math::Operand;
  using Rows = RowsAlongK<T, RoundedTile::kM, RoundedTile::kThreads>;
  STRUCTKD_DYNAMIC_SHARED(char, shared);
  const int64_t part = blockIdx.x / gram.slots, group = part / gram.splits;
  const auto [row, column] = gram.tile_of(blockIdx.x % gram.slots);
  const int64_t chunks = divide_up(group_nodes, kDepth<T>), split = part % gram.splits;
  const int64_t begin = chunks * split / gram.splits, end = chunks * (split + 1) / gram.splits;
  // Rows `first` .. of the stack, of which D or T has the first other_rows.
  const T* stack = nodes.of_group<T>(group) + begin * kDepth<T>;
  const auto rows_from = [&](int64_t first) {
    return Rows([&](int i) -> const T* {
      const int64_t r = first + i;
      if (r < gram.other_rows) return r < gram.Ct ? stack + r * nodes.pitch : nullptr;
      const int64_t c = r - gram.other_rows;
      return c < gram.Cs ? stack + (nodes.others + c) * nodes.pitch : nullptr;
    });
  };
  const Rows a = rows_from(row), b = rows_from(column);
  WarpSums<Math, RoundedTile> sums;
  pipelined_product(int(end - begin), a, b, shared, sums);
  float* out =
      static_cast<float*>(gram.partial) + int64_t(blockIdx.x) * (RoundedTile::kM * RoundedTile::kN);
  sums.for_each_pair([&](int row, int column, float x, float y) {
    *reinterpret_cast<float2*>(out + row * RoundedTile::kN + column) = make_float2(x, y);
  });
}

// Dynamic shared memory of a block of the next: the tile of h is larger than its stages.
constexpr size_t kRoundedGradBytes = RoundedTile::kM * RoundedTile::kN * sizeof(float);
static_assert(
    kRoundedGradBytes >=
    kPipelineBytes<StagedAlongRows<Tf32, RoundedTile::kM>, StagedAlongRows<Tf32, RoundedTile::kN>>);

// what      h = coefficients' [D; U], or [T; S]: the gradient from C x C matrices
// mapping   block = 128 channels x 128 nodes; blocks of the same nodes are neighbours. grid =
//           channel tiles * node tiles * groups
// traffic   a block reads its nodes once and 128 columns of the coefficients, which stay in the
//           second-level cache; at the end the student, for the norm's part
// shared    three stages of 32 x 2 x 128 numbers of bf16, 16 x 2 x 128 of TF32, 51 KB, then the tile
//           of 128 x 128 f32, 64 KB; no bank conflicts
// numbers   128 registers, nvcc 13.1 for sm_90
template <class Real, class Math>
__global__ void __launch_bounds__(RoundedTile::kThreads, RoundedTile::kBlocks)
    pairwise_rounded_grad_tile_per_block_kernel(Nodes<Real> nodes,
                                                RoundedNodes rounded_nodes,
                                                Gram gram,
                                                GradOut out) {
  using T = typename Math::Operand;
  using Lines = LinesOfRows<T, RoundedTile::kM, RoundedTile::kThreads>;
  STRUCTKD_DYNAMIC_SHARED(char, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [1]);
  const int64_t c0 = blockIdx.x % out.tiles * RoundedTile::kM, block = blockIdx.x / out.tiles;
  const int64_t node_tiles = divide_up(nodes.group_nodes(), RoundedTile::kN);
  const int64_t group = block / node_tiles, i0 = block % node_tiles * RoundedTile::kN;
  if (nodes.cancelled[group] != 0) return;
  describe_nodes(nodes, group, i0, tile[0]);
  const T* coefficients = static_cast<const T*>(gram.coefficients) +
                          group * gram.coefficient_rows * gram.coefficient_pitch;
  Lines a(coefficients, c0, gram.coefficient_pitch);
  Lines b(rounded_nodes.of_group<T>(group), i0, rounded_nodes.pitch);
  WarpSums<Math, RoundedTile> sums;
  pipelined_product(int(gram.coefficient_rows / kDepth<T>), a, b, shared, sums);
  write_grad_tile(nodes, out, group, i0, c0, sums, tile[0], reinterpret_cast<float*>(shared));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_ROUNDED_GRAM_CUH
