// cuda/cross_image_relation/slopes.cuh: the gradient, from cosines that are computed a second time.
#ifndef STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SLOPES_CUH
#define STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SLOPES_CUH

#include "cuda/cross_image_relation/cosines.cuh"

namespace structkd::cuda {
namespace {

// Blocks at a time, whose tiles of slopes lie in memory: four for each of 132 multiprocessors, 9 MB
// of f32.
constexpr int64_t kSlopeBlocks = 4 * 132;

template <class T>
struct SlopeTiles {
  int64_t channel_tiles;
  int64_t tasks;  // tiles of the gradient
  T* slopes;      // [blocks, kTileNodes, kTileNodes]

  template <class Real>
  SlopeTiles(const Nodes<Real>& nodes, bool want_grad, Workspace& workspace)
      : channel_tiles(divide_up(nodes.student.C, StreamTile::kM)),
        tasks(divide_up(nodes.group_nodes(), kTileNodes) * channel_tiles) {
    slopes = workspace.take<T>(want_grad ? blocks() * kTileNodes * kTileNodes : 0);
  }

  int64_t blocks() const { return tasks < kSlopeBlocks ? tasks : kSlopeBlocks; }
};

__device__ __forceinline__ float rounded_product(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double rounded_product(double a, double b) { return __dmul_rn(a, b); }

// what      h = S U, U the slopes of all pairs by their cosine; the gradient of the features
// mapping   block = kM channels x 64 nodes i of the batch, beside all nodes j of it, one tile of 64
//           after the other; then the next such tile of the gradient
// traffic   a block reads all nodes of the batch, kM of their channels once more, and its own nodes
//           for each tile of the others; writes and reads a slope per pair, in the second-level
//           cache, by halves of sectors, and reads four shares for it
// shared    as pairwise_streamed_tile_per_block_kernel
template <class Real, class Math>
__global__ void __launch_bounds__(StreamTile::kThreads, StreamTile::kBlocks)
    relation_slopes_tile_per_block_kernel(Nodes<Real> nodes,
                                          RelationRows<typename Math::Operand> rows,
                                          SlopeTiles<typename Math::Operand> tiles,
                                          GradOut out,
                                          double temperature) {
  using T = typename Math::Operand;
  constexpr int kThreads = StreamTile::kThreads;
  STRUCTKD_DYNAMIC_SHARED(T, shared);
  STRUCTKD_SHARED(NodeTile<T>, tile, [2]);
  const int64_t count = nodes.group_nodes();
  T* slopes = tiles.slopes + int64_t(blockIdx.x) * (kTileNodes * kTileNodes);
  const T inverse = T(1.0 / temperature);
  // write_grad_tile() ends with a factor of 4 / (B N)^2; the loss has 1 / (B^2 N temperature).
  const T factor = T(0.25 * double(nodes.N) / temperature);
  for (int64_t task = blockIdx.x; task < tiles.tasks; task += gridDim.x) {
    const int64_t c0 = task % tiles.channel_tiles * StreamTile::kM;
    const int64_t i0 = task / tiles.channel_tiles * kTileNodes;
    __syncthreads();  // the last task's readers are done
    describe_nodes(nodes, 0, i0, tile[0]);
    WarpSums<Math, StreamTile> h;
    for (int64_t j0 = 0; j0 < count; j0 += kTileNodes) {
      describe_nodes(nodes, 0, j0, tile[1]);
      __syncthreads();
      T a[kLaneElements], b[kLaneElements];
      multiply_tiles<Real, Math>(nodes, tile[1], count - j0, tile[0], count - i0, shared, a, b);
      for_each_cosine<Math>([&](int e, int, int row, int column) {
        const int64_t i = i0 + column, j = j0 + row;
        T slope = T(0);
        if (i < count && j < count) {
          const int64_t own = j / nodes.N * count + i, other = i / nodes.N * count + j;
          // Both products rounded, not fused into the difference: equal nets have slopes of 0.
          const T s = rounded_product(exponential((a[e] - T(1)) * inverse),
                                      rows.student[own] + rows.student[other]);
          const T t = rounded_product(exponential((b[e] - T(1)) * inverse),
                                      rows.teacher[own] + rows.teacher[other]);
          slope = factor * (s - t);
        }
        slopes[row * kTileNodes + column] = slope;
      });
      __syncthreads();
      NodeCursor<Real> cursor(nodes, 0, j0 / kChunk);
      ChannelRows<Real, T, StreamTile::kM, kThreads, false> left(cursor, Source::kStudent, c0);
      MatrixRows<T, kTileNodes, kThreads> right(slopes, 0, kTileNodes);
      block_product(kTileNodes / kChunk, left, right, shared, h);
    }
    write_grad_tile(nodes, out, 0, i0, c0, h, tile[0], reinterpret_cast<Epilogue<T>*>(shared));
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_CROSS_IMAGE_RELATION_SLOPES_CUH
