// cuda/inter_class_similarity/block_grad.cuh: the gradient of the student's logits for 25 to 152
// classes of f32 or 16-bit logits, on tensor cores.
//
// what      dz_k = p_k (sum_j slope_jk u_j + constant_k) - sum_j inflow_jk p_j, from the factors of
//           matrix.cuh
// mapping   block = 96 pixels, of which each warp has 16 with all K classes: lane 4 g + t has
//           pixels 2 g and 2 g + 1 of classes 2 t and 2 t + 1 of each block of 8, which are its
//           pieces of both operands and of their products. Products stay in registers throughout; u
//           and then p lie in shared memory, each lane's for itself. The factors of 8 classes j at
//           a time come through shared memory, the next two such panels on their way meanwhile:
//           one barrier per panel.
// traffic   8 bytes per f32 logit, 8 at a time in maps of planes whose rows allow it. The factors,
//           8 K^2 bytes, come from the second cache per block.
// shared    75 KB (152 classes): 4 K bytes per pixel, three panels. A lane reads its own 16 bytes
//           of u, and its neighbours' next pair of factors: no bank conflicts.
// limits    192 threads and two blocks per multiprocessor: 168 registers.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_BLOCK_GRAD_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_BLOCK_GRAD_CUH

#include "cuda/common/split_tf32.cuh"
#include "cuda/inter_class_similarity/grad_task.cuh"

namespace structkd::cuda {
namespace {

constexpr int kBlockGradThreads = 192, kBlockGradWarps = kBlockGradThreads / kWarp;
constexpr int kBlockGradLanePixels = 2;
constexpr int kBlockGradWarpPixels = kWarp / 4 * kBlockGradLanePixels;
constexpr int kBlockGradPixels = kBlockGradWarps * kBlockGradWarpPixels;
constexpr int kPanels = 3;  // one in use, two on their way

// A lane's pieces of u or p of a block of 8 classes: class i and pixel v at 2 i + v.
struct alignas(16) LanePiece {
  float at[4];
};

// Numbers of a panel: 8 classes j, all classes k.
template <int Blocks>
constexpr int kPanelNumbers = Blocks * kBlockClasses * kBlockClasses;

template <int Blocks>
constexpr size_t kBlockGradBytes =
    Blocks * kBlockGradThreads * sizeof(LanePiece) +
    (kPanels * kPanelNumbers<Blocks> + 4 * Blocks * kBlockClasses) * sizeof(float);

template <class Element, int Blocks>
class BlockGrad {
  static constexpr int kClasses = Blocks * kBlockClasses;  // with padding

  // Of both classes of a lane.
  struct alignas(8) Pair {
    float of[2];
  };

 public:
  __device__ __forceinline__ BlockGrad(const GradTask<Element>& task, bool chunks, float* shared)
      : task_(task),
        chunks_(chunks),
        b_(int(blockIdx.x / unsigned(task.tiles))),
        mine_(reinterpret_cast<LanePiece*>(shared) + threadIdx.x),
        panels_(shared + Blocks * kBlockGradThreads * 4),
        classes_(panels_ + kPanels * kPanelNumbers<Blocks>) {}

  __device__ __forceinline__ void run() {
    fetch(0);
    fetch(1);
    load_classes();
    const int64_t of_warp = pixel() - lane() / 4 * kBlockGradLanePixels;
    const bool counts = lane() < kBlockGradWarpPixels &&
                        is_valid(task_.mask, b_, of_warp + lane(), task_.pixels, task_.student.W);
    valid_ = __ballot_sync(kFullWarp, counts) >> lane() / 4 * kBlockGradLanePixels;
    __syncthreads();
    load_logits();
    float sum[Blocks][4] = {};
    add_products(0, sum);
    weigh(sum);
    add_products(Blocks, sum);
    store(sum);
  }

 private:
  enum { kShift, kTop, kInverseMass, kConstant };

  __device__ __forceinline__ static int lane() { return int(threadIdx.x) % kWarp; }
  __device__ __forceinline__ int K() const { return int(task_.student.C); }
  // The first pixel of the lane.
  __device__ __forceinline__ int64_t pixel() const {
    return int64_t(blockIdx.x % unsigned(task_.tiles)) * kBlockGradPixels +
           int(threadIdx.x) / kWarp * kBlockGradWarpPixels + lane() / 4 * kBlockGradLanePixels;
  }
  __device__ __forceinline__ static int class_of(int block, int i) {
    return block * kBlockClasses + lane() % 4 * 2 + i;
  }

  __device__ __forceinline__ void load_classes() const {
    const GradFactors<float>& from = task_.factors;
    if (const int k = int(threadIdx.x); k < kClasses) {
      const int64_t at = int64_t(b_) * K() + k;
      classes_[kShift * kClasses + k] = k < K() ? from.shift[at] : 0.0f;
      classes_[kTop * kClasses + k] = k < K() ? from.top[at] : 0.0f;
      classes_[kInverseMass * kClasses + k] = k < K() ? from.inverse_mass[at] : 0.0f;
      classes_[kConstant * kClasses + k] = k < K() ? from.constant[at] : 0.0f;
    }
  }
  __device__ __forceinline__ Pair of_classes(int what, int block) const {
    return *reinterpret_cast<const Pair*>(classes_ + what * kClasses + class_of(block, 0));
  }

  // Panels 0 to Blocks - 1 are those of slope, the rest those of inflow.
  __device__ __forceinline__ void fetch(int panel) const {
    if (panel < 2 * Blocks) {
      const float* all = panel < Blocks ? task_.factors.slope : task_.factors.inflow;
      const float* from = all + (int64_t(b_) * Blocks + panel % Blocks) * kPanelNumbers<Blocks>;
      float* to = panels_ + panel % kPanels * kPanelNumbers<Blocks>;
      for (int i = int(threadIdx.x) * 4; i < kPanelNumbers<Blocks>; i += kBlockGradThreads * 4) {
        async_copy<16>(to + i, from + i);
      }
    }
    async_copy_commit();  // an empty group keeps the count
  }

  __device__ __forceinline__ void load_logits() const {
    const int64_t n = pixel();
    const int full = K() / kBlockClasses;
#pragma unroll 4
    for (int c = 0; c < full; ++c) load_block(c, n, [](int k) { return k; });
#pragma unroll 1
    for (int c = full; c < Blocks; ++c) {  // classes are missing: the last one stands for them
      load_block(c, n, [&](int k) { return smaller(k, K() - 1); });
    }
  }

  template <class Class>
  __device__ __forceinline__ void load_block(int c, int64_t n, Class&& class_at) const {
    const Element* image = task_.student.data + b_ * task_.student.stride_b;
    const Pair shift = of_classes(kShift, c);
    LanePiece u;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int k = class_of(c, i);
      const auto raw = load_pixels<kBlockGradLanePixels>(
          task_.student, image + class_at(k) * task_.student.stride_c, n, task_.pixels, chunks_);
#pragma unroll
      for (int v = 0; v < kBlockGradLanePixels; ++v) {
        const bool counts = (valid_ >> v & 1) != 0 && k < K();
        u.at[2 * i + v] =
            counts ? (widen(raw.at[v]) - shift.of[i]) * task_.inverse_temperature : 0.0f;
      }
    }
    mine_[c * kBlockGradThreads] = u;
  }

  // sum += u or p * factors of as many panels as there are blocks of classes.
  __device__ __forceinline__ void add_products(int first_panel, float (&sum)[Blocks][4]) const {
#pragma unroll 1
    for (int j = 0; j < Blocks; ++j) {
      async_copy_wait<kPanels - 2>();
      __syncthreads();  // the panel is there, and all have used the one before
      fetch(first_panel + j + kPanels - 1);
      const LanePiece piece = mine_[j * kBlockGradThreads];
      SplitFragment<4> left;
#pragma unroll
      for (int i = 0; i < 4; ++i) left.set(i, piece.at[i]);
      const Pair* factors = reinterpret_cast<const Pair*>(panels_ + (first_panel + j) % kPanels *
                                                                        kPanelNumbers<Blocks>) +
                            lane();
#pragma unroll
      for (int k = 0; k < Blocks; ++k) {
        const Pair factor = factors[k * kWarp];
        SplitFragment<2> right;
        right.set(0, factor.of[0]);
        right.set(1, factor.of[1]);
        add_split_product(sum[k], left, right);
      }
    }
  }

  // Makes p of u, and of the first product minus what the second one is taken from.
  __device__ __forceinline__ void weigh(float (&sum)[Blocks][4]) const {
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      const Pair top = of_classes(kTop, c), inverse_mass = of_classes(kInverseMass, c),
                 constant = of_classes(kConstant, c);
      LanePiece piece = mine_[c * kBlockGradThreads];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int v = 0; v < kBlockGradLanePixels; ++v) {
          float& p = piece.at[2 * i + v];
          float& of = sum[c][i + 2 * v];
          p = exponential(p - top.of[i]) * inverse_mass.of[i];
          of = -p * (of + constant.of[i]);
        }
      }
      mine_[c * kBlockGradThreads] = piece;
    }
  }

  // Writes minus the sums.
  __device__ __forceinline__ void store(const float (&sum)[Blocks][4]) const {
    const GradOf<Element>& grad = task_.grad;
    const int64_t n = pixel();
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int k = class_of(c, i);
        if (k >= K()) continue;
        float dz[kBlockGradLanePixels];
#pragma unroll
        for (int v = 0; v < kBlockGradLanePixels; ++v) {
          // A choice and no product: what an ignored pixel holds must not matter.
          dz[v] = (valid_ >> v & 1) != 0 ? -sum[c][i + 2 * v] : 0.0f;
        }
        store_pixels<kBlockGradLanePixels>(grad,
                                           b_ * grad.layout.stride_b + k * grad.layout.stride_c, n,
                                           task_.pixels, dz, chunks_);
      }
    }
  }

  const GradTask<Element>& task_;
  const bool chunks_;
  const int b_;
  LanePiece* mine_;  // [Blocks], kBlockGradThreads apart
  float *panels_, *classes_;
  unsigned valid_ = 0;  // its bit v: pixel() + v counts
};

// Blocks that share a multiprocessor. Of f16 and the most classes nvcc 13.1 spills 8 bytes on sm_100
// with two.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ == 1000
template <class Element, int Blocks>
constexpr int kBlockGradBlocks = __is_same(Element, Half) && Blocks == 19 ? 1 : 2;
#else
template <class Element, int Blocks>
constexpr int kBlockGradBlocks = 2;
#endif

template <class Element, int Blocks>
__global__ __launch_bounds__(
    kBlockGradThreads,
    (kBlockGradBlocks<Element, Blocks>)) void class_grad_by_block_kernel(const GradTask<Element>
                                                                             task,
                                                                         bool chunks) {
  STRUCTKD_DYNAMIC_SHARED(float, shared);
  BlockGrad<Element, Blocks>(task, chunks, shared).run();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_BLOCK_GRAD_CUH
