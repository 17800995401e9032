// cuda/common/gemm.cuh: the matrix product under the kernels: operands staged in shared memory,
// chunk after chunk of the reduction, and one tile of the result per warp in registers.
//
// A kernel brings two operand loaders. fetch(q, shared) begins to read chunk q, into registers or
// by asynchronous copies; put(shared) converts and stores what is in registers. Between the two a
// warp multiplies the chunk before, so that the reads have a whole chunk's arithmetic to arrive in.
#ifndef STRUCTKD_CUDA_COMMON_GEMM_CUH
#define STRUCTKD_CUDA_COMMON_GEMM_CUH

#include "cuda/common/mma.cuh"
#include "cuda/common/two_float.cuh"

namespace structkd::cuda {
namespace {

// Reduction steps per chunk: 64 bytes of f32 per row, two whole sectors.
constexpr int kChunk = 16;

// How element (row, k) of a staged operand is stored: in one of two orders. Both are free of bank
// conflicts when a warp reads fragments (8 rows x 4 k): a step outside moves on by 32 bytes modulo
// 128, or, in f32 rows, by 20 words, which visits all banks as well. Plain multiply-adds read every
// second of 8 rows at one k: of 8 bytes, rows 0 and 4 would share a bank if they began alike. They
// begin 16 bytes apart, so that two k can still be read at once.
template <class T, int Rows>
struct KInnermost {
  static constexpr int kPitch = kChunk + 4;
  static constexpr int kElements = Rows * kPitch;
  __device__ static constexpr int at(int row, int k) {
    return row * kPitch + (sizeof(T) == 8 ? (row & 4) / 2 : 0) + k;
  }
  __device__ static __forceinline__ T load(const T* shared, int row, int k) {
    return shared[at(row, k)];
  }
};
template <class T, int Rows>
struct RowInnermost {
  static constexpr int kPitch = Rows + 32 / int(sizeof(T));
  static constexpr int kElements = kChunk * kPitch;
  __device__ static constexpr int at(int row, int k) { return k * kPitch + row; }
  __device__ static __forceinline__ T load(const T* shared, int row, int k) {
    return shared[at(row, k)];
  }
};
// A third order keeps elements as they came from memory, f32 or f64, with a factor per k in front;
// they are widened and multiplied when a fragment is read. Of f32, half the bytes pass through
// shared memory, which is the narrowest pipe of an f64 product. A factor of 0 gives 0, whatever
// came from memory.
template <class Raw, int Rows>
struct ScaledKInnermost {
  using Order = KInnermost<Raw, Rows>;
  static constexpr int kElements =
      kChunk + Order::kElements * int(sizeof(Raw)) / int(sizeof(double));
  __device__ static __forceinline__ Raw* raw(double* shared) {
    return reinterpret_cast<Raw*>(shared + kChunk);
  }
  __device__ static __forceinline__ double load(const double* shared, int row, int k) {
    const Raw* elements = reinterpret_cast<const Raw*>(shared + kChunk);
    const double factor = shared[k];
    return __dmul_rn(factor == 0.0 ? 0.0 : double(elements[Order::at(row, k)]), factor);
  }
};

// The arithmetic of a product. Every kind spreads a 16 x 8 tile over the lanes like the tensor
// cores' instructions: value i of a lane is row g + 8 (i / 2), column 2 t + i % 2; g = lane / 4, t
// = lane % 4.
//
// Plain multiply-adds in T, for devices (or types) without the instruction.
template <class T>
struct Fma {
  using Operand = T;
  using Sum = T;

  template <class A, class B, int R, int C>
  __device__ static __forceinline__ void chunk(
      const T* a, int row, const T* b, int column, Sum (&sum)[R][C][4]) {
    const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
    // From a lane's first row on all distances are constants.
    const T *first_left = a + A::at(row + g, 0), *first_right = b + B::at(column + 2 * t, 0);
#pragma unroll 2
    for (int k = 0; k < kChunk; ++k) {
      T left[R][2], right[C][2];
#pragma unroll
      for (int r = 0; r < R; ++r) {
        left[r][0] = first_left[A::at(16 * r, k)];
        left[r][1] = first_left[A::at(16 * r + 8, k)];
      }
#pragma unroll
      for (int c = 0; c < C; ++c) {
        right[c][0] = first_right[B::at(8 * c, k)];
        right[c][1] = first_right[B::at(8 * c + 1, k)];
      }
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int c = 0; c < C; ++c) {
#pragma unroll
          for (int i = 0; i < 4; ++i) add_product(sum[r][c][i], left[r][i / 2], right[c][i % 2]);
        }
      }
    }
  }
};

// The arithmetic of f64 tensor cores.
struct F64Mma {
  using Operand = double;
  using Sum = double;
  // m16n8k8 (four of m8n8k4 but on sm_90). With 16, m16n8k16: half the instructions, up to 30 more
  // registers.
  static constexpr int kDepth = 8;

  template <class A, class B, int R, int C>
  __device__ static __forceinline__ void chunk(
      const double* a, int row, const double* b, int column, Sum (&sum)[R][C][4]) {
    const int g = threadIdx.x % kWarp / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < kChunk; k += kDepth) {
      double left[R][kDepth / 2];
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int i = 0; i < kDepth / 2; ++i) {
          left[r][i] = A::load(a, row + 16 * r + g + 8 * (i % 2), k + t + 4 * (i / 2));
        }
      }
#pragma unroll
      for (int c = 0; c < C; ++c) {
        double right[kDepth / 4];
#pragma unroll
        for (int i = 0; i < kDepth / 4; ++i)
          right[i] = B::load(b, column + 8 * c + g, k + t + 4 * i);
#pragma unroll
        for (int r = 0; r < R; ++r) {
          if constexpr (kDepth == 8) {
            mma_f64_m16n8k8(sum[r][c], left[r], right);
          } else {
            mma_f64_m16n8k16(sum[r][c], left[r], right);
          }
        }
      }
    }
  }
};

// How the warps of a block share a kM x kN tile: each has kWarpM x kWarpN of it. kBlocks: how many
// blocks a multiprocessor should hold, which bounds the registers of a thread.
template <int M, int N, int WarpM, int WarpN, int Blocks>
struct BlockTile {
  static constexpr int kM = M, kN = N, kWarpM = WarpM, kWarpN = WarpN, kBlocks = Blocks;
  static constexpr int kThreads = M / WarpM * (N / WarpN) * kWarp;
};

// Chunks after which f32 sums go to a wider place: 128 products, as on the CPU (cpu/common/gemm.h).
constexpr int kChunksInF32 = 8;

// The calling warp's part of the block's tile of sums.
template <class Math, class Tile>
struct WarpSums {
  static constexpr int R = Tile::kWarpM / 16, C = Tile::kWarpN / 8;
  // Long f32 sums would lose what the rows keep.
  static constexpr bool kTwoLevels = __is_same(Math, Fma<float>);
  using Sum = typename Math::Sum;

  Sum sum[R][C][4] = {};
  TwoFloat total[kTwoLevels ? R : 1][kTwoLevels ? C : 1][kTwoLevels ? 4 : 1] = {};

  __device__ static __forceinline__ int first_row() {
    return int(threadIdx.x) / kWarp % (Tile::kM / Tile::kWarpM) * Tile::kWarpM;
  }
  __device__ static __forceinline__ int first_column() {
    return int(threadIdx.x) / kWarp / (Tile::kM / Tile::kWarpM) * Tile::kWarpN;
  }

  __device__ __forceinline__ void flush() {
    if constexpr (kTwoLevels) {
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int c = 0; c < C; ++c) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            add_to(total[r][c][i], sum[r][c][i]);
            sum[r][c][i] = 0.0f;
          }
        }
      }
    }
  }

  // visit(row, column, value, value at column + 1) for all pairs of elements of this lane.
  template <class Visit>
  __device__ __forceinline__ void for_each_pair(Visit&& visit) const {
    const int row = first_row() + threadIdx.x % kWarp / 4;
    const int column = first_column() + threadIdx.x % 4 * 2;
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          if constexpr (kTwoLevels) {
            visit(row + 16 * r + 8 * half, column + 8 * c, total[r][c][2 * half],
                  total[r][c][2 * half + 1]);
          } else {
            visit(row + 16 * r + 8 * half, column + 8 * c, sum[r][c][2 * half],
                  sum[r][c][2 * half + 1]);
          }
        }
      }
    }
  }
};

template <class Math, class A, class B>
constexpr int kStageBytes = 2 * (A::kElements + B::kElements) * int(sizeof(typename Math::Operand));

// sums += A B' over `chunks` chunks, double-buffered in `shared` (kStageBytes). Begins without and
// ends with a barrier.
template <class Math, class Tile, class LoadA, class LoadB>
__device__ __forceinline__ void block_product(int64_t chunks,
                                              LoadA& load_a,
                                              LoadB& load_b,
                                              typename Math::Operand* shared,
                                              WarpSums<Math, Tile>& sums) {
  using A = typename LoadA::Layout;
  using B = typename LoadB::Layout;
  constexpr int kBuffer = A::kElements + B::kElements;
  const auto fetch = [&](int64_t q, typename Math::Operand* buffer) {
    load_a.fetch(q, buffer);
    load_b.fetch(q, buffer + A::kElements);
    async_copy_commit();
  };
  const auto put = [&](typename Math::Operand* buffer) {
    load_a.put(buffer);
    load_b.put(buffer + A::kElements);
    async_copy_wait<0>();
  };
  fetch(0, shared);
  put(shared);
  __syncthreads();
  for (int64_t q = 0; q < chunks; ++q) {
    const typename Math::Operand* current = shared + q % 2 * kBuffer;
    typename Math::Operand* next = shared + (q + 1) % 2 * kBuffer;
    const bool more = q + 1 < chunks;
    if (more) fetch(q + 1, next);
    Math::template chunk<A, B>(current, sums.first_row(), current + A::kElements,
                               sums.first_column(), sums.sum);
    if (q % kChunksInF32 == kChunksInF32 - 1 || !more) sums.flush();
    if (more) put(next);
    __syncthreads();
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_GEMM_CUH
