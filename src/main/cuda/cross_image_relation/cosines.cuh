// cuda/cross_image_relation/cosines.cuh: tiles of cosines in registers, those of the student beside
// those of the teacher.
//
// The nodes are those of the pair-wise loss over the whole batch, node i of image b being b * N +
// i, and so are operands and the way back to the features (cuda/pairwise).
#ifndef STRUCTKD_CUDA_CROSS_IMAGE_RELATION_COSINES_CUH
#define STRUCTKD_CUDA_CROSS_IMAGE_RELATION_COSINES_CUH

#include "core/cross_image_relation_args.h"
#include "core/divergence.h"
#include "cuda/common/math.cuh"
#include "cuda/pairwise/pairs.cuh"

namespace structkd::cuda {
namespace {

// The arguments by which the nodes of the pair-wise loss are described.
inline PairwiseArgs node_args(const CrossImageRelationArgs& args) {
  PairwiseArgs nodes{};
  static_cast<LossArgs&>(nodes) = args;
  nodes.norm = STRUCTKD_NORM_DIFFERENTIABLE;
  nodes.eps_mode = STRUCTKD_EPS_MAX;
  nodes.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
  nodes.eps = args.eps;
  return nodes;
}

// What is kept of a row, a node i beside all nodes j of an image: its share of either net, 1 / sum_j
// e^((cosine_ij - 1) / temperature).
template <class T>
struct RelationRows {
  T *student, *teacher;  // [B, B N]
  double* divergence;    // [B, tiles]: summed over the rows of a tile
  int64_t tiles;         // of 64 nodes of the batch

  template <class Real>
  RelationRows(const Nodes<Real>& nodes, Workspace& workspace)
      : tiles(divide_up(nodes.group_nodes(), kTileNodes)) {
    const int64_t B = nodes.images;
    student = workspace.take<T>(B * nodes.group_nodes());
    teacher = workspace.take<T>(B * nodes.group_nodes());
    divergence = workspace.take<double>(B * tiles);
  }
};

// The elements of a StreamTile that a lane has: two rows, 8 columns.
constexpr int kLaneRows = 2, kLaneColumns = 8, kLaneElements = kLaneRows * kLaneColumns;
static_assert(StreamTile::kWarpM == 16 && StreamTile::kWarpN == 32, "a lane has 2 x 8 elements");

// visit(e, r, row, column) for them, in the order of WarpSums::for_each_pair; r < kLaneRows.
template <class Math, class Visit>
__device__ __forceinline__ void for_each_cosine(Visit&& visit) {
  using Sums = WarpSums<Math, StreamTile>;
  const int row = Sums::first_row() + threadIdx.x % kWarp / 4;
  const int column = Sums::first_column() + threadIdx.x % 4 * 2;
#pragma unroll
  for (int e = 0; e < kLaneElements; ++e) {
    const int r = e / 2 % 2;
    visit(e, r, row + 8 * r, column + e / 4 * 8 + e % 2);
  }
}

// An operand from its chunk `first` on.
template <class Columns>
struct ChunksFrom {
  using Layout = typename Columns::Layout;
  Columns& columns;
  int64_t first;

  template <class T>
  __device__ __forceinline__ void fetch(int64_t q, T* shared) {
    columns.fetch(first + q, shared);
  }
  template <class T>
  __device__ __forceinline__ void put(T* shared) const {
    columns.put(shared);
  }
};

// The cosines of the nodes of two described tiles, of which so many are valid: of the student (a)
// and of the teacher (b).
template <class Real, class Math>
__device__ __forceinline__ void multiply_tiles(const Nodes<Real>& nodes,
                                               const NodeTile<typename Math::Operand>& rows,
                                               int64_t valid_rows,
                                               const NodeTile<typename Math::Operand>& columns,
                                               int64_t valid_columns,
                                               typename Math::Operand* shared,
                                               typename Math::Operand (&a)[kLaneElements],
                                               typename Math::Operand (&b)[kLaneElements]) {
  using T = typename Math::Operand;
  using Operand = NodeColumns<Real, T, Side::kLeft, StreamTile::kThreads>;
  const StackedChannels channels(nodes.student.C, nodes.teacher.C, /*may_pair=*/false);
  Operand left(nodes, rows, valid_rows, channels), right(nodes, columns, valid_columns, channels);
  const auto product = [&](int64_t first, int64_t chunks, T(&cosines)[kLaneElements]) {
    ChunksFrom<Operand> from_left{left, first}, from_right{right, first};
    WarpSums<Math, StreamTile> sums;
    block_product(chunks, from_left, from_right, shared, sums);
    int e = 0;
    sums.for_each_pair([&](int, int, auto x, auto y) {
      cosines[e++] = value_as<T>(x);
      cosines[e++] = value_as<T>(y);
    });
  };
  product(0, channels.student_chunks(), a);
  product(channels.student_chunks(), channels.chunks() - channels.student_chunks(), b);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_CROSS_IMAGE_RELATION_COSINES_CUH
