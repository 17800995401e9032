// cuda/intra_class_variation/compare.cuh: positions beside the centres of their classes: value,
// slopes and gradient.
#ifndef STRUCTKD_CUDA_INTRA_CLASS_VARIATION_COMPARE_CUH
#define STRUCTKD_CUDA_INTRA_CLASS_VARIATION_COMPARE_CUH

#include "cuda/intra_class_variation/sums.cuh"

namespace structkd::cuda {
namespace {

// A block has 32 neighbouring positions, a lane each; its warps share the channels.
constexpr int kCompareThreads = 256, kCompareWarps = kCompareThreads / kWarp;

// Channels of a thread whose features are on their way at once.
constexpr int kTogetherChannels = 8;

// What positions have: arrays [B, N], and losses of blocks.
struct Slopes {
  double *along, *stretch, *turn;
  double* losses;  // [blocks]
  int64_t tiles;   // of an image

  Slopes(const Classes& classes, Workspace& workspace)
      : along(workspace.take<double>(classes.B * classes.N)),
        stretch(workspace.take<double>(classes.B * classes.N)),
        turn(workspace.take<double>(classes.B * classes.N)),
        tiles(divide_up(classes.N, kWarp)) {
    losses = workspace.take<double>(classes.B * tiles);
  }
};

// Where a thread stands.
struct ComparedPosition {
  int64_t b, n;
  int32_t k;  // -1 also past the last position
  bool inside;

  __device__ __forceinline__ ComparedPosition(const Classes& classes, int64_t tiles)
      : b(blockIdx.x / tiles), n(blockIdx.x % tiles * kWarp + threadIdx.x % kWarp) {
    inside = n < classes.N;
    k = inside ? classes.of[b * classes.N + n] : -1;
  }
};

// The similarity of the block's positions in one net, right in its first warp. The product and the
// squares of a position are added in the order of the warps.
template <class Element>
__device__ __forceinline__ CentreSimilarity measure(const Classes& classes,
                                                    const Net<Element>& net,
                                                    const ComparedPosition& place) {
  STRUCTKD_SHARED(double, products, [kCompareWarps][kWarp]);
  STRUCTKD_SHARED(double, squares, [kCompareWarps][kWarp]);
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp;
  const int64_t C = net.map.C, K = classes.K;
  double product = 0.0, square = 0.0;
  if (place.k >= 0) {
    const Element* position = net.map.at(place.b, 0, place.n);
    const double* centre = net.centres + place.b * C * K + place.k;
    for (int64_t c0 = warp; c0 < C; c0 += kTogetherChannels * kCompareWarps) {
#pragma unroll
      for (int i = 0; i < kTogetherChannels; ++i) {
        const int64_t c = c0 + i * kCompareWarps;
        if (c >= C) continue;
        const double f = double(widen(position[c * net.map.stride_c]));
        product += f * centre[c * K];
        square += f * f;
      }
    }
  }
  __syncthreads();  // the sums of the last call have been read
  products[warp][lane] = product;
  squares[warp][lane] = square;
  __syncthreads();
  if (warp > 0 || place.k < 0) return {0.0, 0.0, 0.0};
  for (int w = 1; w < kCompareWarps; ++w) {
    product += products[w][lane];
    square += squares[w][lane];
  }
  return centre_similarity(product, square, net.lengths[place.b * K + place.k]);
}

template <class Element>
__global__ __launch_bounds__(kCompareThreads, 2) void similarities_tile_per_block_kernel(
    Classes classes, Net<Element> student, Net<Element> teacher, Slopes slopes) {
  const ComparedPosition place(classes, slopes.tiles);
  const CentreSimilarity theirs = measure(classes, teacher, place);
  const CentreSimilarity ours = measure(classes, student, place);
  if (threadIdx.x >= kWarp) return;
  const double gap = ours.value - theirs.value;  // 0 where there is no class
  const double loss = warp_sum(gap * gap);
  if (threadIdx.x == 0) slopes.losses[blockIdx.x] = loss;
  if (!place.inside) return;
  const CentreSlopes slope = centre_slopes(ours, 2.0 * gap / classes.divisor());
  const int64_t i = place.b * classes.N + place.n;
  slopes.along[i] = slope.along;
  slopes.stretch[i] = slope.stretch;
  slopes.turn[i] = slope.turn;
}

constexpr int kLossThreads = 1024;

// One block makes the loss from those of all blocks.
__global__ __launch_bounds__(kLossThreads) void variation_loss_kernel(
    Classes classes, const double* losses, int64_t count, structkd_dtype dtype, void* loss) {
  double sum = 0.0;
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < count; i += kLossThreads) sum += losses[i];
  sum = block_sum<kLossThreads>(sum);
  if (threadIdx.x == 0) store_loss(loss, dtype, sum / classes.divisor());
}

// along * c + stretch * f + the pull of the centre.
template <class Element>
__global__ __launch_bounds__(kCompareThreads) void variation_grad_tile_per_block_kernel(
    Classes classes,
    Net<Element> student,
    Slopes slopes,
    const double* pulls,
    GradOf<Element> grad) {
  using T = Widened<Element>;
  const ComparedPosition place(classes, slopes.tiles);
  if (!place.inside) return;
  const int64_t C = student.map.C, K = classes.K, i = place.b * classes.N + place.n;
  const double along = slopes.along[i], stretch = slopes.stretch[i];
  const Element* position = student.map.at(place.b, 0, place.n);
  const int64_t vector = place.b * C * K + (place.k < 0 ? 0 : place.k);
  const double *centre = student.centres + vector, *pull = pulls + vector;
  const int64_t out = grad.offset(place.b, 0, place.n);
#pragma unroll 4
  for (int64_t c = threadIdx.x / kWarp; c < C; c += kCompareWarps) {
    // A choice and no product with 0: what has no class may hold NaN.
    double gradient = 0.0;
    if (place.k >= 0) {
      gradient = along * centre[c * K] +
                 stretch * double(widen(position[c * student.map.stride_c])) + pull[c * K];
    }
    grad.store(out + c * grad.layout.stride_c, T(gradient));
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTRA_CLASS_VARIATION_COMPARE_CUH
