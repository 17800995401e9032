// cuda/cross_image_relation/sums.cuh: the divergences of all rows, and what the slopes need of them
// (formulas: cpu/cross_image_relation/pairs.h).
#ifndef STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SUMS_CUH
#define STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SUMS_CUH

#include "cuda/cross_image_relation/cosines.cuh"

namespace structkd::cuda {
namespace {

// Sums over the nodes of an image, of one row or of a part of it: of e(a), e(b), e(b) d and e(b)
// phi(d).
enum RowSum { kStudentSum, kTeacherSum, kGapSum, kExcessSum, kRowSums };

template <class T>
__device__ __forceinline__ void add_pair(T a, T b, T inverse, T (&sums)[kRowSums]) {
  const T d = (b - a) * inverse;
  const T es = exponential((a - T(1)) * inverse), et = exponential((b - T(1)) * inverse);
  const bool is_near = d < T(1) && d > T(-1);
  sums[kStudentSum] += es;
  sums[kTeacherSum] += et;
  sums[kGapSum] += et * d;
  sums[kExcessSum] += is_near ? et * (d * d * Phi<T>::over_square(d)) : es - et + et * d;
}

// what      the shares of 64 rows beside one image, and the sum of their divergences
// mapping   block = 64 nodes of the batch x all nodes of an image, one tile of 64 after the other.
//           grid = tiles * B
// traffic   a block reads all nodes of the image and, for each tile of them, its own: 256 (Cs + Ct)
//           bytes of f32 twice, mostly from the second-level cache; writes 64 shares of either net
// shared    two buffers of 2 x 16 x 72 operands; no bank conflicts but of f32 channels-last maps
//           (lane_row)
template <class Real, class Math>
__global__ void __launch_bounds__(StreamTile::kThreads, StreamTile::kBlocks)
    relation_sums_tile_per_block_kernel(Nodes<Real> nodes,
                                        RelationRows<typename Math::Operand> rows,
                                        double temperature) {
  using T = typename Math::Operand;
  constexpr int kParts = kTileNodes / StreamTile::kWarpN;  // warps that share rows
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [2]);
  STRUCTKD_SHARED(double, partial, [kParts][kRowSums][kTileNodes]);
  const int64_t n = blockIdx.x / rows.tiles, slot = blockIdx.x % rows.tiles;
  const int64_t i0 = slot * kTileNodes, valid = nodes.group_nodes() - i0;
  const T inverse = T(1.0 / temperature);
  describe_nodes(nodes, 0, i0, tile[0]);
  double sums[kLaneRows][kRowSums] = {};
  for (int64_t j0 = 0; j0 < nodes.N; j0 += kTileNodes) {
    describe_nodes(nodes, 0, n * nodes.N + j0, tile[1]);
    __syncthreads();
    T a[kLaneElements], b[kLaneElements];
    multiply_tiles<Real, Math>(nodes, tile[0], valid, tile[1], nodes.N - j0, shared, a, b);
    T part[kLaneRows][kRowSums] = {};
    for_each_cosine<Math>([&](int e, int r, int, int column) {
      if (j0 + column < nodes.N) add_pair(a[e], b[e], inverse, part[r]);
    });
#pragma unroll
    for (int s = 0; s < kLaneRows * kRowSums; ++s) {
      sums[s / kRowSums][s % kRowSums] += double(part[s / kRowSums][s % kRowSums]);
    }
  }
  // The four lanes that share rows, then the warps that do.
  using Sums = WarpSums<Math, StreamTile>;
  const int lane = threadIdx.x % kWarp, first = Sums::first_row() + lane / 4;
#pragma unroll
  for (int s = 0; s < kLaneRows * kRowSums; ++s) {
    double sum = sums[s / kRowSums][s % kRowSums];
    sum += __shfl_xor_sync(kFullWarp, sum, 1);
    sum += __shfl_xor_sync(kFullWarp, sum, 2);
    if (lane % 4 == 0) {
      partial[Sums::first_column() / StreamTile::kWarpN][s % kRowSums][first + 8 * (s / kRowSums)] =
          sum;
    }
  }
  __syncthreads();
  double divergence = 0.0;
  const int row = threadIdx.x;
  if (row < kTileNodes && row < valid) {
    double total[kRowSums] = {};
    for (int p = 0; p < kParts; ++p) {
      for (int s = 0; s < kRowSums; ++s) total[s] += partial[p][s][row];
    }
    const int64_t at = n * nodes.group_nodes() + i0 + row;
    rows.student[at] = T(1.0 / total[kStudentSum]);
    rows.teacher[at] = T(1.0 / total[kTeacherSum]);
    divergence = divergence_of_sums(total[kStudentSum], total[kTeacherSum], total[kGapSum],
                                    total[kExcessSum]);
  }
  divergence = block_sum<StreamTile::kThreads>(divergence);
  if (threadIdx.x == 0) rows.divergence[blockIdx.x] = divergence;
}

// what      the loss: scale times the sum of `count` divergences
// mapping   one block
constexpr int kLossThreads = 256;

__global__ void __launch_bounds__(kLossThreads) relation_loss_kernel(
    const double* divergence, int64_t count, double scale, structkd_dtype dtype, void* loss) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += kLossThreads) sum += divergence[i];
  sum = block_sum<kLossThreads>(sum);
  if (threadIdx.x == 0) store_loss(loss, dtype, scale * sum);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SUMS_CUH
