// cuda/common/tensor_product.cuh: the matrix product of operands that lie in memory rounded, bf16 or
// TF32, and need nothing but to be multiplied: chunks of 64 bytes per row of the reduction go to
// shared memory by asynchronous copies, kStages - 1 of them ahead of the tensor cores.
//
// A kernel brings two loaders; fetch(q, shared) begins the copies of chunk q. An operand lies in
// memory, and is staged, in one of two orders.
#ifndef STRUCTKD_CUDA_COMMON_TENSOR_PRODUCT_CUH
#define STRUCTKD_CUDA_COMMON_TENSOR_PRODUCT_CUH

#include "cuda/common/access.cuh"
#include "cuda/common/gemm.cuh"

namespace structkd::cuda {
namespace {

// An f32 number rounded to the 10 mantissa bits of TF32.
struct Tf32 {
  uint32_t bits;
};

// The arithmetic of bf16 and TF32 tensor cores; sums are f32. An instruction takes 32 bytes of each
// row: 16 numbers, or 8.
struct Bf16Mma {
  using Operand = BFloat16;
  using Sum = float;
};
struct Tf32Mma {
  using Operand = Tf32;
  using Sum = float;
};

__device__ __forceinline__ void multiply(Bf16Mma,
                                         float (&c)[4],
                                         const uint32_t (&a)[4],
                                         const uint32_t (&b)[2]) {
  mma_bf16_m16n8k16(c, a, b);
}
__device__ __forceinline__ void multiply(Tf32Mma,
                                         float (&c)[4],
                                         const uint32_t (&a)[4],
                                         const uint32_t (&b)[2]) {
  mma_tf32_m16n8k8(c, a, b);
}

// A number as an operand.
template <class T>
__device__ __forceinline__ T rounded(float x) {
  if constexpr (__is_same(T, BFloat16)) {
    return narrow<BFloat16>(x);
  } else {
    return Tf32{to_tf32(x)};
  }
}

constexpr int kVectorBytes = 16, kChunkBytes = 64, kStepBytes = 32;
// Three stages leave room for two blocks of 128 x 128 sums on GPUs with 100 KB of shared memory.
constexpr int kStages = 3;

// Reduction steps per chunk.
template <class T>
constexpr int kDepth = kChunkBytes / int(sizeof(T));

// Rows of 64 bytes along the reduction. Their vectors are permuted so that a vector of 8 rows lies
// in all banks, and so do all vectors of 2 rows.
template <class T, int Rows>
struct StagedAlongK {
  static constexpr int kBytes = Rows * kChunkBytes;

  __device__ static __forceinline__ int at(int row, int vector) {
    return row * kChunkBytes + (vector ^ (row >> 1 & 3)) * kVectorBytes;
  }
  // The fragments of rows row .. row + 15 as a left operand, and as two right ones.
  __device__ static __forceinline__ void left(const char* staged,
                                              int row,
                                              int step,
                                              uint32_t (&pieces)[4]) {
    const int lane = threadIdx.x % kWarp;
    ldmatrix_x4(pieces, staged + at(row + lane % 16, 2 * step + lane / 16));
  }
  __device__ static __forceinline__ void right(const char* staged,
                                               int row,
                                               int step,
                                               uint32_t (&pieces)[4]) {
    const int lane = threadIdx.x % kWarp;
    ldmatrix_x4(pieces, staged + at(row + lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
  }
};

// A line of Rows numbers for each step of the reduction. Lines are as much longer as spreads what is
// read together over all banks: 8 vectors of as many lines, or 8 numbers of 4 lines.
template <class T, int Rows>
struct StagedAlongRows {
  static constexpr int kPitch = Rows * int(sizeof(T)) + (sizeof(T) == 2 ? 16 : 32);
  static constexpr int kBytes = kDepth<T> * kPitch;

  __device__ static __forceinline__ int at(int row, int k) {
    return k * kPitch + row * int(sizeof(T));
  }
  __device__ static __forceinline__ void left(const char* staged,
                                              int row,
                                              int step,
                                              uint32_t (&pieces)[4]) {
    const int lane = threadIdx.x % kWarp;
    if constexpr (sizeof(T) == 2) {
      ldmatrix_x4_trans(pieces,
                        staged + at(row + lane / 8 % 2 * 8, 16 * step + lane % 8 + lane / 16 * 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        pieces[i] = word(staged, row + lane / 4 + 8 * (i % 2), 8 * step + lane % 4 + 4 * (i / 2));
      }
    }
  }
  __device__ static __forceinline__ void right(const char* staged,
                                               int row,
                                               int step,
                                               uint32_t (&pieces)[4]) {
    const int lane = threadIdx.x % kWarp;
    if constexpr (sizeof(T) == 2) {
      ldmatrix_x4_trans(pieces, staged + at(row + lane / 16 * 8, 16 * step + lane % 16));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        pieces[i] = word(staged, row + lane / 4 + 8 * (i / 2), 8 * step + lane % 4 + 4 * (i % 2));
      }
    }
  }

 private:
  __device__ static __forceinline__ uint32_t word(const char* staged, int row, int k) {
    return *reinterpret_cast<const uint32_t*>(staged + at(row, k));
  }
};

// The operand whose rows lie in memory along the reduction.
template <class T, int Rows, int Threads>
class RowsAlongK {
 public:
  using Layout = StagedAlongK<T, Rows>;

  // begin_of(row) is where a row begins, 16 bytes aligned, or nullptr: rows that do not exist stay as
  // they are, and so do results that nobody asks for.
  template <class BeginOf>
  __device__ __forceinline__ explicit RowsAlongK(BeginOf&& begin_of) {
    constexpr int kVector = kVectorBytes / int(sizeof(T));
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const T* begin = begin_of(own_row() + i * kRowsPerPass);
      elements_[i] = begin ? begin + int(threadIdx.x) % kPerRow * kVector : nullptr;
    }
  }

  __device__ __forceinline__ void fetch(int q, char* staged) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      if (elements_[i] == nullptr) continue;
      async_copy<kVectorBytes>(
          staged + Layout::at(own_row() + i * kRowsPerPass, int(threadIdx.x) % kPerRow),
          elements_[i] + q * kDepth<T>);
    }
  }

 private:
  static constexpr int kPerRow = kChunkBytes / kVectorBytes, kRowsPerPass = Threads / kPerRow;
  static constexpr int kPasses = Rows / kRowsPerPass;

  __device__ static __forceinline__ int own_row() { return int(threadIdx.x) / kPerRow; }

  const T* elements_[kPasses];
};

// The operand that lies in memory as a matrix [k][row].
template <class T, int Rows, int Threads>
class LinesOfRows {
 public:
  using Layout = StagedAlongRows<T, Rows>;

  // Begins at column `first` of the matrix, whose lines have `pitch` columns, n times 16 bytes. Rows
  // of the operand beyond that stay as they are, and so do results that nobody asks for.
  __device__ __forceinline__ LinesOfRows(const T* matrix, int64_t first, int64_t pitch)
      : element_(matrix + first + column() + k() * pitch),
        pitch_(pitch),
        inside_(first + column() < pitch) {}

  __device__ __forceinline__ void fetch(int64_t q, char* staged) const {
    if (!inside_) return;
#pragma unroll
    for (int i = 0; i < kDepth<T>; i += kStep) {
      async_copy<kVectorBytes>(staged + Layout::at(column(), k() + i),
                               element_ + (q * kDepth<T> + i) * pitch_);
    }
  }

 private:
  static constexpr int kVector = kVectorBytes / int(sizeof(T)), kPerLine = Rows / kVector;
  static constexpr int kStep = Threads / kPerLine;

  __device__ static __forceinline__ int column() { return int(threadIdx.x) % kPerLine * kVector; }
  __device__ static __forceinline__ int k() { return int(threadIdx.x) / kPerLine; }

  const T* element_;
  int64_t pitch_;
  bool inside_;
};

// sums += A B' of one chunk.
template <class A, class B, class Math, class Tile>
__device__ __forceinline__ void multiply_chunk(const char* a,
                                               const char* b,
                                               WarpSums<Math, Tile>& sums) {
  using Sums = WarpSums<Math, Tile>;
#pragma unroll
  for (int step = 0; step < kChunkBytes / kStepBytes; ++step) {
    uint32_t left[Sums::R][4];
#pragma unroll
    for (int r = 0; r < Sums::R; ++r) A::left(a, sums.first_row() + 16 * r, step, left[r]);
#pragma unroll
    for (int c = 0; c < Sums::C; c += 2) {
      uint32_t right[4];
      B::right(b, sums.first_column() + 8 * c, step, right);
      const uint32_t first[2] = {right[0], right[1]}, second[2] = {right[2], right[3]};
#pragma unroll
      for (int r = 0; r < Sums::R; ++r) {
        multiply(Math(), sums.sum[r][c], left[r], first);
        multiply(Math(), sums.sum[r][c + 1], left[r], second);
      }
    }
  }
}

// For each of `chunks` chunks fetch(q, staged), which begins copies into kStage bytes, and in the
// same order multiply(staged) when they are there; `shared` has kStages times as many. Begins without
// and ends with a barrier.
template <int kStage, class Fetch, class Multiply>
__device__ __forceinline__ void pipeline(int chunks, char* shared, Fetch fetch, Multiply multiply) {
  const auto begin = [&](int q, int stage) {
    if (q < chunks) fetch(q, shared + stage * kStage);
    async_copy_commit();
  };
  for (int q = 0; q < kStages - 1; ++q) begin(q, q);
  int stage = 0;
#pragma unroll 1
  for (int q = 0; q < chunks; ++q) {
    async_copy_wait<kStages - 2>();
    __syncthreads();  // chunk q is there, and nobody reads chunk q - 1 any more
    begin(q + kStages - 1, stage == 0 ? kStages - 1 : stage - 1);
    multiply(shared + stage * kStage);
    if (++stage == kStages) stage = 0;
  }
  async_copy_wait<0>();
  __syncthreads();
}

template <class A, class B>
constexpr size_t kPipelineBytes = size_t(kStages) * (A::kBytes + B::kBytes);

// sums += A B' over `chunks` chunks; `shared` has kPipelineBytes. Begins without and ends with a
// barrier.
template <class Math, class Tile, class LoadA, class LoadB>
__device__ __forceinline__ void pipelined_product(
    int chunks, LoadA& load_a, LoadB& load_b, char* shared, WarpSums<Math, Tile>& sums) {
  using A = typename LoadA::Layout;
  using B = typename LoadB::Layout;
  pipeline<A::kBytes + B::kBytes>(
      chunks, shared,
      [&](int q, char* staged) {
        load_a.fetch(q, staged);
        load_b.fetch(q, staged + A::kBytes);
      },
      [&](const char* staged) { multiply_chunk<A, B>(staged, staged + A::kBytes, sums); });
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_TENSOR_PRODUCT_CUH
