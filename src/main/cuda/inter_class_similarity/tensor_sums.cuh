// cuda/inter_class_similarity/tensor_sums.cuh: the products of a block of products.cuh on tensor
// cores, from f32.
//
// A warp multiplies 32 rows of e with 56 rows of u over every `slices`-th step of 8 pixels. Lane 4 g
// + t takes pixels 2 t and 2 t + 1 of every eighth row, 8 bytes at once, and rows begin 8 banks
// apart: no bank conflicts.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TENSOR_SUMS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TENSOR_SUMS_CUH

#include "cuda/common/split_tf32.cuh"
#include "cuda/inter_class_similarity/product_shape.cuh"

namespace structkd::cuda {
namespace {

constexpr int kTensorWarpRows = 32, kTensorWarpColumns = 56, kTensorStep = 8;

class TensorSums {
  static constexpr int R = kTensorWarpRows / 16, C = kTensorWarpColumns / 8;
  static constexpr int kWarpNumbers = kTensorWarpRows * kTensorWarpColumns;
  using Pair = Chunk<float, 2>;

 public:
  static constexpr int kThreads = 160, kWarps = kThreads / kWarp;
  static constexpr size_t kSharedNumbers = kWarps * (kWarpNumbers + kTensorWarpRows);

  __device__ __forceinline__ explicit TensorSums(const ProductShape& shape) : shape_(shape) {
    clear();
  }

  // The thread of a row has its mass.
  __device__ __forceinline__ static int mass_threads(int) { return 1; }

  __device__ __forceinline__ int add(const float* e, const float* u) {
    if (slice() < shape_.slices) {
      const int lane_at = lane() / 4 * shape_.stride + lane() % 4 * 2;
      e += pair() / shape_.thread_columns * kTensorWarpRows * shape_.stride + lane_at;
      u += pair() % shape_.thread_columns * kTensorWarpColumns * shape_.stride + lane_at;
#pragma unroll 1
      for (int x = slice() * kTensorStep; x < shape_.pixels; x += shape_.slices * kTensorStep) {
        SplitFragment<4> left[R];
#pragma unroll
        for (int r = 0; r < R; ++r) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const Pair of_row =
                *reinterpret_cast<const Pair*>(e + (16 * r + 8 * half) * shape_.stride + x);
            left[r].set(half, of_row.at[0]);
            left[r].set(half + 2, of_row.at[1]);
            mass_[r][half] += of_row.at[0] + of_row.at[1];
          }
        }
#pragma unroll
        for (int c = 0; c < C; ++c) {
          const Pair of_row = *reinterpret_cast<const Pair*>(u + 8 * c * shape_.stride + x);
          SplitFragment<2> right;
          right.set(0, of_row.at[0]);
          right.set(1, of_row.at[1]);
#pragma unroll
          for (int r = 0; r < R; ++r) add_split_product(sum_[r][c], left[r], right);
        }
      }
    }
    return int(divide_up(shape_.pixels, shape_.slices * kTensorStep));
  }

  // add() has done it.
  __device__ __forceinline__ void add_mass(const float*, int, double&) const {}

  template <class Visit>
  __device__ __forceinline__ void take(float* memory, int rows, double& mass, Visit&& visit) {
    float* masses = memory + kWarps * kWarpNumbers;
    float* mine = memory + warp() * kWarpNumbers + lane();
    __syncthreads();
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) mine[((r * C + c) * 4 + i) * kWarp] = sum_[r][c][i];
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float sum = mass_[r][half] + __shfl_xor_sync(kFullWarp, mass_[r][half], 1);
        sum += __shfl_xor_sync(kFullWarp, sum, 2);
        if (lane() % 4 != 0) continue;
        masses[warp() * kTensorWarpRows + 16 * r + 8 * half + lane() / 4] = sum;
      }
    }
    clear();
    __syncthreads();
#pragma unroll 1
    for (int at = int(threadIdx.x); at < pairs() * kWarpNumbers; at += kThreads) {
      double sum = 0.0;
      for (int s = 0; s < shape_.slices; ++s)
        sum += double(memory[s * pairs() * kWarpNumbers + at]);
      const int of = at / kWarpNumbers, i = at / kWarp % 4, from = at % kWarp;
      const int block = at % kWarpNumbers / (4 * kWarp);
      visit(of / shape_.thread_columns * kTensorWarpRows + block / C * 16 + i / 2 * 8 + from / 4,
            of % shape_.thread_columns * kTensorWarpColumns + block % C * 8 + from % 4 * 2 + i % 2,
            sum);
    }
    if (const int row = int(threadIdx.x); row < rows) {
      const int of = row / kTensorWarpRows * shape_.thread_columns;
      for (int s = 0; s < shape_.slices; ++s) {
        mass += double(masses[(s * pairs() + of) * kTensorWarpRows + row % kTensorWarpRows]);
      }
    }
  }

 private:
  __device__ __forceinline__ static int lane() { return int(threadIdx.x) % kWarp; }
  __device__ __forceinline__ static int warp() { return int(threadIdx.x) / kWarp; }
  // Pairs of rows and columns of warps.
  __device__ __forceinline__ int pairs() const {
    return shape_.thread_rows * shape_.thread_columns;
  }
  __device__ __forceinline__ int pair() const { return warp() % pairs(); }
  __device__ __forceinline__ int slice() const { return warp() / pairs(); }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int r = 0; r < R; ++r) {
      mass_[r][0] = mass_[r][1] = 0.0f;
#pragma unroll
      for (int c = 0; c < C; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sum_[r][c][i] = 0.0f;
      }
    }
  }

  const ProductShape& shape_;
  float sum_[R][C][4];
  float mass_[R][2];
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_TENSOR_SUMS_CUH
