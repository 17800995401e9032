// cuda/global_structural_grad.cuh: from the slope of the loss by each map entry to the gradient of
// the student's map.
//
//   h_i = sum_j W_ij x_j          W = U + U', U = d loss / d V_S, V_S = X X'      (CROSS: U and
//   y_j) g_i = (h_i - x_i <x_i, h_i>) / |f_i|                                through the unit
//   length <x_i, h_i> = sum_j W_ij V_S[i, j]                                   known before the
//   product
//
// Rows of one pixel are equal, so the pixel's gradient is that of the sum of their U: the first row
// of the chain adds the U of all, in row order, and alone writes.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH

#include "global_structural_groups.cuh"

namespace structkd::cuda {
namespace {

// A block's entries per step: 16 rows i, and as many columns j as registers allow exponentials at
// once.
template <class T>
struct WeightTile {
  static constexpr int kThreads = 256, kRows = 16, kColumns = sizeof(T) == sizeof(float) ? 64 : 32;
  static constexpr int kRowsPerPass = kThreads / kColumns, kPasses = kRows / kRowsPerPass;
  static constexpr int kWarpsPerRow = kColumns / kWarp;
};

// What the slopes are made of.
template <class T>
struct MapsAndSlopes {
  const T* student_map;
  const T* teacher_map;
  const int32_t* groups;
  const GroupSlope<T>* slopes;
  const int32_t* next;  // PixelChains
  const int32_t* owner;
  int64_t pitch, max_samples;
  double inverse_tau;

  // U of an entry whose group is known: V is symmetric where U_ji is asked for.
  __device__ T slope(int64_t b, int32_t group, T v_s, T v_t) const {
    if (group < 0) return T(0);
    return slopes[b * max_samples + group].at(v_s, v_t, inverse_tau);
  }
};

// One block per 16 rows i (x) of an image (y). W is written transposed, [B, M, pitch] by j and i,
// as the product reads it; zero for rows that own no pixel. Reads both maps and the groups, 12
// bytes per entry of f32 maps, and the groups once more transposed, by way of shared memory;
// writes 4. Two rows of a tile that a warp copies meet in one bank, and so do two rows of the sums:
// any other order takes registers, and spills on sm_75 or sm_120.
template <class T>
__global__ void __launch_bounds__(WeightTile<T>::kThreads) entry_weights_rows_per_block_kernel(
    GlobalStructuralArgs args, MapsAndSlopes<T> maps, T* weights, double* along) {
  using Tile = WeightTile<T>;
  STRUCTKD_SHARED(int32_t, groups_ji, [Tile::kColumns][Tile::kRows + 1]);
  STRUCTKD_SHARED(T, tile, [Tile::kColumns][Tile::kRows + 1]);
  STRUCTKD_SHARED(double, sums, [Tile::kThreads / kWarp][Tile::kPasses]);
  const int64_t b = blockIdx.y, M = samples_of(args, b), i0 = int64_t(blockIdx.x) * Tile::kRows;
  if (i0 >= M) return;
  const bool cross = args.similarity == STRUCTKD_SIMILARITY_CROSS;
  const int64_t image = b * args.max_samples;
  const int s = threadIdx.x % Tile::kColumns, r0 = threadIdx.x / Tile::kColumns;
  double along_i[Tile::kPasses] = {};

  for (int64_t j0 = 0; j0 < M; j0 += Tile::kColumns) {
    __syncthreads();  // the tiles of the last step have been read
    for (int e = threadIdx.x; e < Tile::kRows * Tile::kColumns && !cross; e += Tile::kThreads) {
      const int64_t j = j0 + e / Tile::kRows, i = i0 + e % Tile::kRows;
      const bool inside = i < M && j < M;
      groups_ji[e / Tile::kRows][e % Tile::kRows] =
          inside ? maps.groups[(image + j) * maps.pitch + i] : -1;
    }
    __syncthreads();
#pragma unroll
    for (int q = 0; q < Tile::kPasses; ++q) {
      const int r = r0 + Tile::kRowsPerPass * q;
      const int64_t i = i0 + r, j = j0 + s;
      T weight = T(0);
      if (i < M && j < M && maps.owner[image + i] != 0) {
        const int64_t entry = (image + i) * maps.pitch + j;
        const T v_s = maps.student_map[entry], v_t = maps.teacher_map[entry];
        weight = maps.slope(b, maps.groups[entry], v_s, v_t);
        if (!cross) weight += maps.slope(b, groups_ji[s][r], v_s, v_t);
        for (int64_t m = maps.next[image + i]; m >= 0; m = maps.next[image + m]) {
          // Equal rows have equal entries; their groups differ.
          weight += maps.slope(b, maps.groups[(image + m) * maps.pitch + j], v_s, v_t);
          if (!cross) {
            weight += maps.slope(b, maps.groups[(image + j) * maps.pitch + m], v_s, v_t);
          }
        }
        along_i[q] += double(weight) * double(v_s);
      }
      tile[s][r] = weight;
    }
    __syncthreads();
    for (int e = threadIdx.x; e < Tile::kRows * Tile::kColumns; e += Tile::kThreads) {
      const int64_t j = j0 + e / Tile::kRows, i = i0 + e % Tile::kRows;
      if (i >= M || j >= M) continue;
      weights[(image + j) * maps.pitch + i] = tile[e / Tile::kRows][e % Tile::kRows];
    }
  }

  // The threads of a row are whole warps.
#pragma unroll
  for (int q = 0; q < Tile::kPasses; ++q) {
    const double sum = warp_sum(along_i[q]);
    if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp][q] = sum;
  }
  __syncthreads();
  if (threadIdx.x >= Tile::kRows || i0 + threadIdx.x >= M) return;
  const int pass = int(threadIdx.x) / Tile::kRowsPerPass;
  const int first_warp = int(threadIdx.x) % Tile::kRowsPerPass * Tile::kWarpsPerRow;
  double sum = 0.0;
  for (int w = 0; w < Tile::kWarpsPerRow; ++w) sum += sums[first_warp + w][pass];
  along[image + i0 + threadIdx.x] = sum;
}

constexpr int kGradTile = 64;      // rows and channels of a block
constexpr int kGradThreads = 128;  // 8 rows x 4 channels each
constexpr int kGradDepth = 16;     // rows j per step
constexpr int kGradStages = 3;     // steps in shared memory: two on their way while one is used

template <class T>
struct alignas(16) GradStage {
  T weights[kGradDepth][kGradTile];  // by j and i
  T factors[kGradDepth][kGradTile];  // by j and channel
};

// Begins to copy 16 rows of 64 numbers; what lies outside becomes 0. Rows start at 16 bytes, as do
// the 64-byte parts that a thread takes.
template <class T>
__device__ void copy_tile(const T* first,
                          int64_t pitch,
                          int64_t rows,
                          int64_t columns,
                          T (&tile)[kGradDepth][kGradTile]) {
  constexpr int kPer16Bytes = 16 / int(sizeof(T)), kPerRow = kGradTile / kPer16Bytes;
#pragma unroll
  for (int e = threadIdx.x; e < kGradDepth * kPerRow; e += kGradThreads) {
    const int row = e / kPerRow, column = e % kPerRow * kPer16Bytes;
    T* target = &tile[row][column];
    if (row < rows && column < columns) {
      async_copy<16>(target, first + row * pitch + column);
    } else {
      *reinterpret_cast<uint4*>(target) = make_uint4(0, 0, 0, 0);
    }
  }
}

// Grid (tile of channels, tile of rows, image): H = W X by cp.async, then the way back through the
// unit length, and each owner's row to its pixel. Reads M (rows + channels) numbers per tile from
// L2, in all 4 M^2 + 4 M C bytes (f32); writes an element of M C planes each, a sector of its own.
// Shared memory 24 KB (f32), broadcast or free of bank conflicts.
template <class T, class Gradient>
__global__ void __launch_bounds__(kGradThreads)
    row_gradient_tile_per_block_kernel(GlobalStructuralArgs args,
                                       const T* weights,
                                       int64_t pitch,
                                       const double* along,
                                       const int32_t* owner,
                                       Rows<T> student,
                                       Rows<T> factors,
                                       MapOf<Gradient> grad) {
  STRUCTKD_DYNAMIC_SHARED(GradStage<T>, stages);
  const int64_t b = blockIdx.z, M = samples_of(args, b), image = b * args.max_samples;
  const int64_t i0 = int64_t(blockIdx.y) * kGradTile, c0 = int64_t(blockIdx.x) * kGradTile;
  if (i0 >= M) return;
  const int row0 = threadIdx.x / 16 * 8, channel0 = threadIdx.x % 16 * 4;
  const int64_t steps = divide_up(M, kGradDepth);

  const auto copy_step = [&](int64_t step) {
    const int64_t j = step * kGradDepth;
    if (step < steps) {
      GradStage<T>& stage = stages[step % kGradStages];
      copy_tile(weights + (image + j) * pitch + i0, pitch, M - j, pitch - i0, stage.weights);
      copy_tile(factors.row(b, j) + c0, factors.stride, M - j, factors.stride - c0, stage.factors);
    }
    async_copy_commit();  // an empty group keeps the count
  };
  for (int64_t step = 0; step < kGradStages - 1; ++step) copy_step(step);

  T h[8][4] = {};
  for (int64_t step = 0; step < steps; ++step) {
    async_copy_wait<kGradStages - 2>();
    __syncthreads();
    copy_step(step + kGradStages - 1);
    const GradStage<T>& stage = stages[step % kGradStages];
#pragma unroll
    for (int k = 0; k < kGradDepth; ++k) {
      const FourOf<T> upper = load_four(&stage.weights[k][row0]);
      const FourOf<T> lower = load_four(&stage.weights[k][row0 + 4]);
      const FourOf<T> right = load_four(&stage.factors[k][channel0]);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          h[r][c] += upper.value[r] * right.value[c];
          h[r + 4][c] += lower.value[r] * right.value[c];
        }
      }
    }
  }
  async_copy_wait<0>();

  for (int r = 0; r < 8; ++r) {
    const int64_t i = i0 + row0 + r;
    if (i >= M || owner[image + i] == 0) continue;
    const double dot = args.normalize ? along[image + i] : 0.0;
    const double inverse = student.inverse[image + i];
    const T* x = student.row(b, i);
    Gradient* out = grad.at(b, 0, pixel_of(args, b, i));
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int64_t channel = c0 + channel0 + c;
      if (channel >= args.student.C) continue;
      const double g = (double(h[r][c]) - double(x[channel]) * dot) * inverse;
      out[channel * grad.stride_c] = narrow<Gradient>(g);
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH
