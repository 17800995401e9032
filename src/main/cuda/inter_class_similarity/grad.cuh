// cuda/inter_class_similarity/grad.cuh: the gradient of the student's logits, one pass over them.
//
// what      dz_k = p_k (sum_j slope_jk u_j + constant_k) - sum_j inflow_jk p_j, from the factors
//           of matrix.cuh
// mapping   block = a tile of pixels with all K classes in shared memory; a thread has R classes
//           of two chunks of pixels in registers. u in shared memory serves the first product,
//           becomes p in place and serves the second; then the gradient takes its place and
//           leaves as the logits came.
// traffic   8 bytes per f32 logit. The factors, 8 K^2 bytes, come from the second cache per tile.
// shared    at most 48 KB: K x pixels numbers, and the factors of a few classes j. Lanes of a warp
//           read neighbouring chunks of pixels and the same factors: no bank conflicts.
// limits    168 registers. Where there are more groups of classes than threads (some 1280 classes,
//           768 in f64), or two chunks of pixels do not fit: class_grad_reread_kernel.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_CUH

#include "cuda/inter_class_similarity/grad_task.cuh"

namespace structkd::cuda {
namespace {

constexpr int kGradThreads = 128, kGradWarps = kGradThreads / kWarp;

// 16 bytes: the widest load.
template <class T>
constexpr int kGradChunk = 16 / int(sizeof(T));
template <class T>
constexpr int kGradPixels = 2 * kGradChunk<T>;  // of a thread

// How the gradient of a tile of pixels is cut.
struct GradTile {
  int pixels;
  int factor_rows;  // classes j whose factors are in shared memory at a time
};

template <class Element, int R>
class GradBlock {
  using T = Widened<Element>;
  static constexpr int kChunk = kGradChunk<T>;
  using Pixels = Chunk<T, kChunk>;

 public:
  __device__ __forceinline__ GradBlock(const GradTask<Element>& task,
                                       const GradTile& cut,
                                       T* shared)
      : task_(task),
        factor_rows_(cut.factor_rows),
        K_(int(task.student.C)),
        P_(cut.pixels),
        b_(int64_t(blockIdx.x) / task.tiles),
        n0_(int64_t(blockIdx.x) % task.tiles * P_),
        tile_(shared),
        factors_(shared + K_ * P_),
        valid_(reinterpret_cast<uint8_t*>(factors_ + factor_rows_ * task.factors.stride)),
        pixel_threads_(P_ / kGradPixels<T>),
        group_(int(threadIdx.x) / pixel_threads_),
        works_(group_ * R < K_) {
    const int x = int(threadIdx.x) % pixel_threads_ * kChunk;
    first_ = x;
    second_ = x + pixel_threads_ * kChunk;
  }

  __device__ __forceinline__ void run() {
    for (int x = int(threadIdx.x); x < P_; x += kGradThreads) {
      valid_[x] = is_valid(task_.mask, b_, n0_ + x, task_.pixels, task_.student.W);
    }
    __syncthreads();
    load_logits();
    T sum[R][2 * kChunk] = {};
    add_products(task_.factors.slope, sum);
    __syncthreads();  // all have read u
    make_probabilities();
    __syncthreads();
    weigh(sum);
    add_products(task_.factors.inflow, sum);
    __syncthreads();  // all have read p
    put(sum);
    __syncthreads();
    store_gradient();
  }

 private:
  // Calls visit(pixel, n, first class, step of classes) for the shares of this thread.
  template <class Visit>
  __device__ __forceinline__ void for_shares(Visit&& visit) const {
    const TileShare<kGradWarps> share(P_);
#pragma unroll 1
    for (int segment = share.segment; segment < share.segments; segment += share.segment_step) {
      const int x = segment * kWarp + int(threadIdx.x) % kWarp;
      if (x < P_) visit(x, n0_ + x, share.row, share.row_step);
    }
  }

  __device__ __forceinline__ void load_logits() {
    for_shares([&](int x, int64_t n, int row, int row_step) {
      const MapOf<Element>& map = task_.student;
      const bool valid = valid_[x];
      const Element* from = map.at(b_, row, valid ? n : 0);
      const T* shift = task_.factors.shift + b_ * K_;
#pragma unroll 8
      for (int k = row; k < K_; k += row_step) {
        const T u = (widen(*from) - shift[k]) * task_.inverse_temperature;
        tile_[k * P_ + x] = valid ? u : T(0);
        from += row_step * map.stride_c;
      }
    });
  }

  // sum += factors' * tile, for the thread's classes and pixels.
  __device__ __forceinline__ void add_products(const T* all, T (&sum)[R][2 * kChunk]) {
    const int stride = task_.factors.stride;
    const Pixels* from = reinterpret_cast<const Pixels*>(all + b_ * K_ * stride);
    Pixels* to = reinterpret_cast<Pixels*>(factors_);
    for (int j0 = 0; j0 < K_; j0 += factor_rows_) {
      const int rows = smaller(factor_rows_, K_ - j0);
      __syncthreads();  // all have used the factors before; the tile is there
      for (int i = int(threadIdx.x); i < rows * stride / kChunk; i += kGradThreads) {
        to[i] = from[j0 * stride / kChunk + i];
      }
      __syncthreads();
      if (!works_) continue;
      const T* mine = factors_ + group_ * task_.factors.padded_group;
#pragma unroll 2
      for (int j = 0; j < rows; ++j) {
        const T* row = tile_ + (j0 + j) * P_;
        const Pixels left = *reinterpret_cast<const Pixels*>(row + first_);
        const Pixels right = *reinterpret_cast<const Pixels*>(row + second_);
#pragma unroll
        for (int r0 = 0; r0 < R; r0 += kChunk) {
          const Pixels factor = *reinterpret_cast<const Pixels*>(mine + j * stride + r0);
#pragma unroll
          for (int r = r0; r < R && r < r0 + kChunk; ++r) {
#pragma unroll
            for (int v = 0; v < kChunk; ++v) {
              sum[r][v] += factor.at[r - r0] * left.at[v];
              sum[r][kChunk + v] += factor.at[r - r0] * right.at[v];
            }
          }
        }
      }
    }
  }

  __device__ __forceinline__ void make_probabilities() {
    for (int k = int(threadIdx.x) / kWarp; k < K_; k += kGradThreads / kWarp) {
      const T top = task_.factors.top[b_ * K_ + k];
      const T inverse_mass = task_.factors.inverse_mass[b_ * K_ + k];
      for (int x = int(threadIdx.x) % kWarp; x < P_; x += kWarp) {
        T* u = tile_ + k * P_ + x;
        *u = exponential(*u - top) * inverse_mass;
      }
    }
  }

  // Turns the first product into minus what the second one is taken from.
  __device__ __forceinline__ void weigh(T (&sum)[R][2 * kChunk]) const {
    if (!works_) return;
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int k = smaller(group_ * R + r, K_ - 1);
      const T constant = task_.factors.constant[b_ * K_ + k];
      const Pixels left = *reinterpret_cast<const Pixels*>(tile_ + k * P_ + first_);
      const Pixels right = *reinterpret_cast<const Pixels*>(tile_ + k * P_ + second_);
#pragma unroll
      for (int v = 0; v < kChunk; ++v) {
        sum[r][v] = -left.at[v] * (sum[r][v] + constant);
        sum[r][kChunk + v] = -right.at[v] * (sum[r][kChunk + v] + constant);
      }
    }
  }

  __device__ __forceinline__ void put(const T (&sum)[R][2 * kChunk]) {
    if (!works_) return;
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int k = group_ * R + r;
      if (k >= K_) break;
      Pixels left, right;
#pragma unroll
      for (int v = 0; v < kChunk; ++v) {
        left.at[v] = -sum[r][v];
        right.at[v] = -sum[r][kChunk + v];
      }
      *reinterpret_cast<Pixels*>(tile_ + k * P_ + first_) = left;
      *reinterpret_cast<Pixels*>(tile_ + k * P_ + second_) = right;
    }
  }

  __device__ __forceinline__ void store_gradient() const {
    for_shares([&](int x, int64_t n, int row, int row_step) {
      if (n >= task_.pixels) return;
      const GradOf<Element>& grad = task_.grad;
      const bool valid = valid_[x];
      int64_t at = grad.offset(b_, row, n);
#pragma unroll 4
      for (int k = row; k < K_; k += row_step) {
        // A choice and no product: what an ignored pixel holds must not matter.
        grad.store(at, valid ? tile_[k * P_ + x] : T(0));
        at += row_step * grad.layout.stride_c;
      }
    });
  }

  const GradTask<Element>& task_;
  const int factor_rows_, K_, P_;
  const int64_t b_, n0_;
  T* tile_;         // [K, P]
  T* factors_;      // [factor_rows, stride]
  uint8_t* valid_;  // [P]
  const int pixel_threads_, group_;
  const bool works_;
  int first_, second_;  // chunks
};

template <class Element, int R>
__global__ __launch_bounds__(kGradThreads, 3) void class_grad_kernel(const GradTask<Element> task,
                                                                     const GradTile cut) {
  STRUCTKD_DYNAMIC_SHARED(Widened<Element>, shared);
  GradBlock<Element, R>(task, cut, shared).run();
}

// The gradient for any number of classes: block = kGradThreads pixels x R classes. It reads all
// logits of its pixels, once for the products and its own once more. Blocks of the same pixels
// follow each other, so all but the first find them in the second cache. A thread takes its factors
// 16 bytes at a time, all lanes of a warp the same: 8 K^2 bytes per warp (f32) from the first
// cache.
template <class Element, int R>
__global__ __launch_bounds__(kGradThreads) void class_grad_reread_kernel(
    const GradTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kChunk = kGradChunk<T>;
  using Factors = Chunk<T, kChunk>;
  const GradFactors<T>& factors = task.factors;
  const unsigned groups = unsigned(factors.stride / factors.padded_group);
  const int group = int(blockIdx.x % groups);
  const int64_t tile = int64_t(blockIdx.x / groups), K = task.student.C, b = tile / task.tiles;
  const int64_t n = tile % task.tiles * kGradThreads + threadIdx.x;
  if (n >= task.pixels) return;
  const bool valid = is_valid(task.mask, b, n, task.pixels, task.student.W);
  const Element* z = task.student.at(b, 0, n);
  const auto u_of = [&](int64_t j) {
    return (widen(z[j * task.student.stride_c]) - factors.shift[b * K + j]) *
           task.inverse_temperature;
  };
  const auto p_of = [&](int64_t j, T u) {
    return exponential(u - factors.top[b * K + j]) * factors.inverse_mass[b * K + j];
  };
  T slope[R] = {}, inflow[R] = {};
  for (int64_t j = 0; valid && j < K; ++j) {
    const T u = u_of(j), p = p_of(j, u);
    const int64_t at = (b * K + j) * factors.stride + group * factors.padded_group;
    const Factors* slopes = reinterpret_cast<const Factors*>(factors.slope + at);
    const Factors* inflows = reinterpret_cast<const Factors*>(factors.inflow + at);
#pragma unroll
    for (int r0 = 0; r0 < R; r0 += kChunk) {
      const Factors of_u = slopes[r0 / kChunk], of_p = inflows[r0 / kChunk];
#pragma unroll
      for (int r = r0; r < R && r < r0 + kChunk; ++r) {
        slope[r] += of_u.at[r - r0] * u;
        inflow[r] += of_p.at[r - r0] * p;
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int64_t k = int64_t(group) * R + r;
    if (k >= K) break;
    const T dz =
        valid ? p_of(k, u_of(k)) * (slope[r] + factors.constant[b * K + k]) - inflow[r] : T(0);
    task.grad.store(task.grad.offset(b, k, n), dz);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_CUH
