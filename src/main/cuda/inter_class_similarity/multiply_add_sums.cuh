// cuda/inter_class_similarity/multiply_add_sums.cuh: the products of a block of products.cuh by
// multiply-adds.
//
// A thread multiplies R rows of e with C rows of u, in registers, over every `slices`-th chunk of V
// pixels: few classes make many slices, so that they need no padding to 32. Lanes have one chunk of
// neighbouring rows and columns: no bank conflicts but where a warp goes on from the last row or
// column to the first.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MULTIPLY_ADD_SUMS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MULTIPLY_ADD_SUMS_CUH

#include "cuda/inter_class_similarity/product_shape.cuh"

namespace structkd::cuda {
namespace {

template <class T, int R, int C, int V>
class MultiplyAddSums {
  using Pixels = Chunk<T, V>;

 public:
  static constexpr int kThreads = 192;

  // In shared memory, when slices are added.
  static constexpr size_t kSharedNumbers = size_t(C) * (kThreads + kWarp);

  __device__ __forceinline__ explicit MultiplyAddSums(const ProductShape& shape) : shape_(shape) {
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) sum_[r][c] = T(0);
    }
  }

  // Threads that share the mass of a row, neighbouring lanes that of neighbouring rows.
  __device__ __forceinline__ static int mass_threads(int rows) { return kThreads / rows; }

  // Adds the products of a tile; returns how many numbers each sum got.
  __device__ __forceinline__ int add(const T* e, const T* u) {
    if (slice() < shape_.slices) {
      e += pair() / shape_.thread_columns * shape_.stride;
      u += pair() % shape_.thread_columns * shape_.stride;
      const int e_step = shape_.thread_rows * shape_.stride;
      const int u_step = shape_.thread_columns * shape_.stride;
#pragma unroll 1
      for (int x = slice() * V; x < shape_.pixels; x += shape_.slices * V) {
        Pixels left[R];
#pragma unroll
        for (int r = 0; r < R; ++r) {
          left[r] = *reinterpret_cast<const Pixels*>(e + r * e_step + x);
        }
#pragma unroll
        for (int c = 0; c < C; ++c) {
          const Pixels right = *reinterpret_cast<const Pixels*>(u + c * u_step + x);
#pragma unroll
          for (int r = 0; r < R; ++r) {
#pragma unroll
            for (int v = 0; v < V; ++v) sum_[r][c] += left[r].at[v] * right.at[v];
          }
        }
      }
    }
    return int(divide_up(shape_.pixels, shape_.slices));
  }

  // Adds this thread's share of the masses of a tile.
  __device__ __forceinline__ void add_mass(const T* e, int rows, double& mass) const {
    const int threads = mass_threads(rows), share = int(threadIdx.x) / rows;
    if (share >= threads) return;
    const T* row = e + int(threadIdx.x) % rows * shape_.stride;
    T sum = T(0);
#pragma unroll 1
    for (int x = share * V; x < shape_.pixels; x += threads * V) {
      const Pixels pixels = *reinterpret_cast<const Pixels*>(row + x);
#pragma unroll
      for (int v = 0; v < V; ++v) sum += pixels.at[v];
    }
    mass += double(sum);
  }

  // Calls visit(row, column, sum in f64) for each product, and starts anew. The slices meet in
  // `memory`, that of the tile. Begins with a barrier.
  template <class Visit>
  __device__ __forceinline__ void take(T* memory, int, double&, Visit&& visit) {
    const int stride = kThreads + pairs() % kWarp;  // [C][stride]: item i is in bank i
#pragma unroll 1
    for (int r = 0; r < R; ++r) {
      __syncthreads();
#pragma unroll
      for (int c = 0; c < C; ++c) {
        memory[c * stride + int(threadIdx.x)] = sum_[0][c];
        // The next row moves up, zeros behind the last: registers have no index that is not a
        // constant.
#pragma unroll
        for (int q = 0; q < R; ++q) sum_[q][c] = q + 1 < R ? sum_[q + 1 < R ? q + 1 : q][c] : T(0);
      }
      __syncthreads();
#pragma unroll 1
      for (int i = int(threadIdx.x); i < C * pairs(); i += kThreads) {
        const int c = i / pairs(), of = i % pairs();
        const T* from = memory + c * stride + of;
        double sum = 0.0;
        for (int s = 0; s < shape_.slices; ++s) sum += double(from[s * pairs()]);
        visit(of / shape_.thread_columns + r * shape_.thread_rows,
              of % shape_.thread_columns + c * shape_.thread_columns, sum);
      }
    }
  }

 private:
  // Output rows pair() / thread_columns + r * thread_rows, columns likewise. Neighbouring lanes
  // have neighbouring columns and rows, of one slice.
  __device__ __forceinline__ int pairs() const {
    return shape_.thread_rows * shape_.thread_columns;
  }
  __device__ __forceinline__ int pair() const { return int(threadIdx.x) % pairs(); }
  __device__ __forceinline__ int slice() const { return int(threadIdx.x) / pairs(); }

  const ProductShape& shape_;
  T sum_[R][C];
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MULTIPLY_ADD_SUMS_CUH
