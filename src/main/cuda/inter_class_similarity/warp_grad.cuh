// cuda/inter_class_similarity/warp_grad.cuh: the gradient of the student's logits for up to 24
// classes of f32 or 16-bit logits, on tensor cores, one pass over them.
//
// what      dz_k = p_k (sum_j slope_jk u_j + constant_k) - sum_j inflow_jk p_j, from the factors of
//           matrix.cuh
// mapping   block = kGradTiles tiles of 96 pixels, of which each warp has 16. Lane 4 g + t has
//           pixels 2 g and 2 g + 1 of classes 2 t and 2 t + 1 of each block of 8: these are its
//           pieces of both operands (pixels x classes) and of their products, so that logits stay
//           in registers until they are gradients. Those of the next tile are on their way
//           meanwhile. No barriers but for the factors, which all warps share.
// traffic   8 bytes per f32 logit, 8 at a time in maps of planes whose rows allow it. The factors,
//           8 K^2 bytes, come from the second cache per block.
// shared    10 KB (24 classes): the factors, split for the tensor cores. Lanes read neighbouring 16
//           bytes: no bank conflicts.
// limits    192 threads and two blocks per multiprocessor: 168 registers.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_GRAD_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_GRAD_CUH

#include "cuda/common/anew.cuh"
#include "cuda/common/split_tf32.cuh"
#include "cuda/inter_class_similarity/grad_task.cuh"

namespace structkd::cuda {
namespace {

constexpr int kWarpGradThreads = 192, kWarpGradWarps = kWarpGradThreads / kWarp;
constexpr int kGradLanePixels = 2;
constexpr int kGradWarpPixels = kWarp / 4 * kGradLanePixels;
constexpr int kGradTilePixels = kWarpGradWarps * kGradWarpPixels;
// Tiles of a block: the more, the less often factors are loaded.
constexpr int kGradTiles = 8;

template <class Element, int Blocks>
class WarpGrad {
  static constexpr int kClasses = Blocks * kBlockClasses;   // with padding
  static constexpr int kFactors = Blocks * Blocks * kWarp;  // of a matrix: pairs of numbers
  using Raw = Chunk<Element, kGradLanePixels>;
  using Pixels = float[kGradLanePixels];

  // Of both classes of a lane.
  struct alignas(8) Pair {
    float of[2];
  };

 public:
  __device__ __forceinline__ WarpGrad(const GradTask<Element>& task, bool chunks)
      : task_(task),
        chunks_(chunks),
        b_(int(blockIdx.x / unsigned(task.tiles))),
        first_(int64_t(blockIdx.x % unsigned(task.tiles)) * (kGradTiles * kGradTilePixels)),
        column_(lane() % 4 * 2) {}

  __device__ __forceinline__ void run() {
    STRUCTKD_SHARED(SplitFragment<2>, factors, [2][kFactors]);
    STRUCTKD_SHARED(Pair, pairs, [4 * kClasses / 2]);
    factors_ = &factors[0][0];
    auto* classes = reinterpret_cast<float*>(pairs);
    classes_ = classes;
    Raw raw[Blocks][2];
    load(0, raw);
    load_factors(factors, classes);
    __syncthreads();
#pragma unroll 1
    for (int tile = 0; tile < kGradTiles; ++tile) {
      if (pixel(tile) - lane() / 4 * kGradLanePixels >= task_.pixels) break;  // the whole warp
      step(tile, raw);
    }
  }

 private:
  enum { kShift, kTop, kInverseMass, kConstant };

  __device__ __forceinline__ static int lane() { return int(threadIdx.x) % kWarp; }
  __device__ __forceinline__ int K() const { return int(task_.student.C); }
  __device__ __forceinline__ int class_of(int block, int i) const {
    return block * kBlockClasses + column_ + i;
  }
  // The first pixel of the lane in a tile.
  __device__ __forceinline__ int64_t pixel(int tile) const {
    return first_ + (tile * kWarpGradWarps + int(threadIdx.x) / kWarp) * kGradWarpPixels +
           lane() / 4 * kGradLanePixels;
  }

  __device__ __forceinline__ static SplitFragment<2> split(const Pair& factors) {
    SplitFragment<2> fragment;
    fragment.set(0, factors.of[0]);
    fragment.set(1, factors.of[1]);
    return fragment;
  }

  __device__ __forceinline__ void load_factors(SplitFragment<2> (&factors)[2][kFactors],
                                               float* classes) const {
    const GradFactors<float>& from = task_.factors;
#pragma unroll 1
    for (int i = int(threadIdx.x); i < kFactors; i += kWarpGradThreads) {
      const Pair slope = reinterpret_cast<const Pair*>(from.slope)[int64_t(b_) * kFactors + i];
      const Pair inflow = reinterpret_cast<const Pair*>(from.inflow)[int64_t(b_) * kFactors + i];
      factors[0][i] = split(slope);
      factors[1][i] = split(inflow);
    }
    if (const int k = int(threadIdx.x); k < kClasses) {
      const int64_t at = int64_t(b_) * K() + k;
      classes[kShift * kClasses + k] = k < K() ? from.shift[at] : 0.0f;
      classes[kTop * kClasses + k] = k < K() ? from.top[at] : 0.0f;
      classes[kInverseMass * kClasses + k] = k < K() ? from.inverse_mass[at] : 0.0f;
      classes[kConstant * kClasses + k] = k < K() ? from.constant[at] : 0.0f;
    }
  }

  __device__ __forceinline__ Pair of_classes(int what, int block) const {
    return *reinterpret_cast<const Pair*>(classes_ + what * kClasses + class_of(block, 0));
  }

  __device__ __forceinline__ void load(int tile, Raw (&raw)[Blocks][2]) {
    const int64_t n = pixel(tile), N = tile < kGradTiles ? task_.pixels : 0;
    const int64_t of_warp = n - lane() / 4 * kGradLanePixels;
    counts_ =
        lane() < kGradWarpPixels && is_valid(task_.mask, b_, of_warp + lane(), N, task_.student.W);
    const Element* image = task_.student.data + b_ * task_.student.stride_b;
#pragma unroll
    for (int c = 0; c + 1 < Blocks; ++c) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        raw[c][i] = load_pixels<kGradLanePixels>(
            task_.student, image + class_of(c, i) * task_.student.stride_c, n, N, chunks_);
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {  // there may be fewer classes
      const int k = smaller(class_of(Blocks - 1, i), K() - 1);
      raw[Blocks - 1][i] = load_pixels<kGradLanePixels>(
          task_.student, image + k * task_.student.stride_c, n, N, chunks_);
    }
  }

  // 16 pixels of a warp; `raw` has their logits, and then those of the next tile.
  __device__ __forceinline__ void step(int tile, Raw (&raw)[Blocks][2]) {
    const unsigned mine = __ballot_sync(kFullWarp, counts_) >> lane() / 4 * kGradLanePixels;
    Pixels x[Blocks][2];  // u, and then p
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      const Pair shift = of_classes(kShift, c);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int v = 0; v < kGradLanePixels; ++v) {
          const bool counts = (mine >> v & 1) != 0 && (c + 1 < Blocks || class_of(c, i) < K());
          x[c][i][v] =
              counts ? (widen(raw[c][i].at[v]) - shift.of[i]) * task_.inverse_temperature : 0.0f;
        }
      }
    }
    // Where classes lie is computed for each tile: known ahead, it would take too many registers.
    column_ = anew(column_);
    load(tile + 1, raw);
    float sum[Blocks][4] = {};
    add_products(factors_, x, sum);
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      const Pair top = of_classes(kTop, c), inverse_mass = of_classes(kInverseMass, c),
                 constant = of_classes(kConstant, c);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int v = 0; v < kGradLanePixels; ++v) {
          x[c][i][v] = exponential(x[c][i][v] - top.of[i]) * inverse_mass.of[i];
          float& of = sum[c][i + 2 * v];
          of = -x[c][i][v] * (of + constant.of[i]);
        }
      }
    }
    add_products(factors_ + kFactors, x, sum);
    column_ = anew(column_);
    store(tile, mine, sum);
  }

  // sum += x * factors.
  __device__ __forceinline__ void add_products(const SplitFragment<2>* factors,
                                               const Pixels (&x)[Blocks][2],
                                               float (&sum)[Blocks][4]) const {
#pragma unroll
    for (int j = 0; j < Blocks; ++j) {
      SplitFragment<4> left;
#pragma unroll
      for (int i = 0; i < 4; ++i) left.set(i, x[j][i / 2][i % 2]);
#pragma unroll
      for (int k = 0; k < Blocks; ++k) {
        const SplitFragment<2> right = factors[(j * Blocks + k) * kWarp + lane()];
        add_split_product(sum[k], left, right);
      }
    }
  }

  // Writes minus the sums.
  __device__ __forceinline__ void store(int tile,
                                        unsigned mine,
                                        const float (&sum)[Blocks][4]) const {
    const GradOf<Element>& grad = task_.grad;
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (class_of(c, i) >= K()) continue;
        float dz[kGradLanePixels];
#pragma unroll
        for (int v = 0; v < kGradLanePixels; ++v) {
          // A choice and no product: what an ignored pixel holds must not matter.
          dz[v] = (mine >> v & 1) != 0 ? -sum[c][i + 2 * v] : 0.0f;
        }
        const int64_t of_class = b_ * grad.layout.stride_b + class_of(c, i) * grad.layout.stride_c;
        store_pixels<kGradLanePixels>(grad, of_class, pixel(tile), task_.pixels, dz, chunks_);
      }
    }
  }

  const GradTask<Element>& task_;
  const bool chunks_;
  const int b_;
  const int64_t first_;              // image, first pixel of the block
  const SplitFragment<2>* factors_;  // in shared memory, as is the next
  const float* classes_;
  int column_;           // the lane's first class in each block
  bool counts_ = false;  // pixel `lane()` of the warp's next 16 is valid
};

template <class Element, int Blocks>
__global__ __launch_bounds__(kWarpGradThreads,
                             2) void class_grad_by_warp_kernel(const GradTask<Element> task,
                                                               bool chunks) {
  WarpGrad<Element, Blocks>(task, chunks).run();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_GRAD_CUH
