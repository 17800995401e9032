// cuda/global_structural/grad.cuh: from the slope of the loss by each map entry to the gradient of
// the student's map.
//
//   h_i = sum_j W_ij x_j              W = U + U', U = d loss / d V_S, V_S = X X' (CROSS: U and y_j)
//   g_i = (h_i - x_i <x_i, h_i>) / |f_i|     back through the scaling to unit length
//   <x_i, h_i> = sum_j W_ij V_S[i, j]        known before the product
//
// W never leaves the chip: a block makes it for its rows, some columns at a time, and multiplies.
// Rows of one pixel are equal, so the pixel's gradient is that of the sum of their U: the first row
// of the chain adds the U of all, in row order, and alone writes.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH

#include "cuda/global_structural/groups.cuh"

namespace structkd::cuda {
namespace {

// The tile of a block: rows i x channels of the gradient, 8 rows x 4 channels for each thread.
template <class T, int Rows>
struct GradTile {
  static constexpr int kRows = Rows, kChannels = 256, kThreads = Rows * kChannels / 32;
  static constexpr int kDepth = 64 / int(sizeof(T));  // rows j per step of the product
  // Entries of W that are made at once: each thread has a column j and some rows i of it, in fours.
  static constexpr int kColumns = sizeof(T) == sizeof(float) ? 64 : 32;
  static constexpr int kRowsPerThread = Rows * kColumns / kThreads;
  static constexpr int kWarpsPerRow = kColumns / kWarp;
  static constexpr int kStepsPerColumns = kColumns / kDepth;
  // On a multiprocessor at least: left alone the compiler saves registers for more of them on
  // sm_120, and spills.
  static constexpr int kBlocks = (Rows == 16 ? 3 : 2) - (sizeof(T) == sizeof(float) ? 0 : 1);
  static_assert(kRowsPerThread % 4 == 0, "weights are put in fours");

  struct alignas(16) Shared {
    T factors[2][kDepth][kChannels];  // by j and channel; one step on its way, one in use
    T weights[kColumns][kRows + 4];   // by j and i: fours of neighbouring j in different banks
    int32_t groups_ji[kColumns][kRows + 1];
    double along[kWarpsPerRow][kRows];
  };
  static_assert(sizeof(Shared) <= 64 << 10, "what a block of sm_75 may have");
};

// Up to kSmallMap samples there are many small blocks; above it large ones read the rows less often
// from L2.
template <class T>
using SmallGradTile = GradTile<T, 16>;
template <class T>
using LargeGradTile = GradTile<T, 32>;

// The slopes of map entries are made of this.
template <class T>
struct SlopeSources {
  SimilarityMaps<T> maps;
  const int32_t* groups;
  const GroupSlope<T>* slopes;
  const int32_t* next;  // PixelChains
  const int32_t* owner;
  int64_t max_samples;
  double inverse_tau;

  // U of an entry whose group is known: V is symmetric where U_ji is asked for.
  __device__ T slope(int64_t b, int32_t group, T v_s, T v_t) const {
    if (group < 0) return T(0);
    return slopes[b * max_samples + group].at(v_s, v_t, inverse_tau);
  }
};

// Begins to copy kDepth rows of kChannels numbers; what lies outside becomes 0. Rows start at 16
// bytes.
template <class Tile, class T>
__device__ __forceinline__ void copy_factors(const T* first,
                                             int64_t pitch,
                                             int64_t rows,
                                             int64_t channels,
                                             T (&stage)[Tile::kDepth][Tile::kChannels]) {
  constexpr int kPer16Bytes = 16 / int(sizeof(T)), kPerRow = Tile::kChannels / kPer16Bytes;
#pragma unroll
  for (int e = threadIdx.x; e < Tile::kDepth * kPerRow; e += Tile::kThreads) {
    const int row = e / kPerRow, channel = e % kPerRow * kPer16Bytes;
    T* target = &stage[row][channel];
    if (row < rows && channel < channels) {
      async_copy<16>(target, first + row * pitch + channel);
    } else {
      *reinterpret_cast<uint4*>(target) = make_uint4(0, 0, 0, 0);
    }
  }
}

// weights[j][i] of columns j0 .. j0 + kColumns; along[r] += the thread's part of <x_i, h_i>. All
// threads have left the columns before once they pass the barrier in here; a barrier must follow.
template <class Tile, class T>
__device__ __forceinline__ void make_weights(const SlopeSources<T>& sources,
                                             bool cross,
                                             int64_t image,
                                             int64_t M,
                                             int64_t b,
                                             int64_t i0,
                                             int64_t j0,
                                             typename Tile::Shared& shared,
                                             double (&along)[Tile::kRowsPerThread]) {
  // U_ji is needed as well: its groups, transposed. A warp takes a row j, or the halves of two that
  // are 16 apart, so that their banks differ.
#pragma unroll 4
  for (int e = threadIdx.x; e < Tile::kRows * Tile::kColumns && !cross; e += Tile::kThreads) {
    const int c = Tile::kRows == kWarp ? e / kWarp : e / 512 * 32 + e / 16 % 2 * 16 + e / 32 % 16;
    const int64_t j = j0 + c, i = i0 + e % Tile::kRows;
    const bool inside = i < M && j < M;
    shared.groups_ji[c][e % Tile::kRows] =
        inside ? sources.groups[(image + j) * sources.maps.pitch + i] : -1;
  }
  __syncthreads();
  const int s = threadIdx.x % Tile::kColumns;
  const int r0 = threadIdx.x / Tile::kColumns * Tile::kRowsPerThread;
  const int64_t j = j0 + s;
#pragma unroll
  for (int q = 0; q < Tile::kRowsPerThread; q += 4) {
    FourOf<T> four{};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int64_t i = i0 + r0 + q + k;
      if (i >= M || j >= M || sources.owner[image + i] == 0) continue;
      const int64_t entry = (image + i) * sources.maps.pitch + j;
      const T v_s = sources.maps.student[entry], v_t = sources.maps.teacher[entry];
      T weight = sources.slope(b, sources.groups[entry], v_s, v_t);
      if (!cross) weight += sources.slope(b, shared.groups_ji[s][r0 + q + k], v_s, v_t);
      for (int64_t m = sources.next[image + i]; m >= 0; m = sources.next[image + m]) {
        // Equal rows have equal entries; their groups differ.
        weight += sources.slope(b, sources.groups[(image + m) * sources.maps.pitch + j], v_s, v_t);
        if (!cross)
          weight +=
              sources.slope(b, sources.groups[(image + j) * sources.maps.pitch + m], v_s, v_t);
      }
      along[q + k] += double(weight) * double(v_s);
      four.value[k] = weight;
    }
    *reinterpret_cast<FourOf<T>*>(&shared.weights[s][r0 + q]) = four;
  }
}

// Adds the threads' parts; the threads of a row are whole warps. A barrier must follow.
template <class Tile>
__device__ __forceinline__ void add_along(const double (&along)[Tile::kRowsPerThread],
                                          typename Tile::Shared& shared) {
  const int r0 = threadIdx.x / Tile::kColumns * Tile::kRowsPerThread;
#pragma unroll
  for (int q = 0; q < Tile::kRowsPerThread; ++q) {
    const double sum = warp_sum(along[q]);
    if (threadIdx.x % kWarp == 0) {
      shared.along[threadIdx.x / kWarp % Tile::kWarpsPerRow][r0 + q] = sum;
    }
  }
}

// The grid has images of tiles of rows of tiles of channels, all in x: y and z end at 65535. A
// block makes H = W X with rows of X by cp.async, goes back through the unit length, and writes
// each owner's row to its pixel. It reads both maps and the groups, 12 bytes per entry of f32 maps,
// once per tile of channels, the groups once more transposed, and M rows of X per tile of rows,
// from L2; writes an element of M C planes each, a sector of its own. Shared memory: 41 to 58 KB,
// broadcast or free of bank conflicts.
template <class T, class Gradient, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    row_gradient_tile_per_block_kernel(GlobalStructuralArgs args,
                                       SlopeSources<T> sources,
                                       Rows<T> student,
                                       Rows<T> factors,
                                       MapOf<Gradient> grad) {
  STRUCTKD_DYNAMIC_SHARED(typename Tile::Shared, shared);
  const unsigned row_tiles = unsigned(divide_up(args.max_samples, Tile::kRows));
  const unsigned channel_tiles = unsigned(divide_up(args.student.C, Tile::kChannels));
  const unsigned tile = blockIdx.x / channel_tiles;
  const int64_t b = tile / row_tiles, M = samples_of(args, b), image = b * args.max_samples;
  const int64_t i0 = int64_t(tile % row_tiles) * Tile::kRows;
  const int64_t c0 = int64_t(blockIdx.x % channel_tiles) * Tile::kChannels;
  if (i0 >= M) return;
  const bool cross = args.similarity == STRUCTKD_SIMILARITY_CROSS;
  constexpr int kChannelThreads = Tile::kChannels / 4;
  const int row0 = threadIdx.x / kChannelThreads * 8;
  const int channel0 = threadIdx.x % kChannelThreads * 4;
  const int64_t steps = divide_up(M, Tile::kDepth);

  const auto copy_step = [&](int64_t step) {
    const int64_t j = step * Tile::kDepth;
    if (step < steps) {
      copy_factors<Tile>(factors.row(b, j) + c0, factors.stride, M - j, factors.stride - c0,
                         shared->factors[step % 2]);
    }
    async_copy_commit();  // an empty group keeps the count
  };
  copy_step(0);
  double along[Tile::kRowsPerThread] = {};
  T h[8][4] = {};
  for (int64_t step = 0; step < steps; ++step) {
    if (step % Tile::kStepsPerColumns == 0) {
      make_weights<Tile>(sources, cross, image, M, b, i0, step * Tile::kDepth, *shared, along);
    }
    async_copy_wait<0>();
    __syncthreads();  // weights and factors of this step are there, those of the last one are free
    copy_step(step + 1);
    if (c0 + channel0 >= factors.C) continue;
    const auto& stage = shared->factors[step % 2];
    const auto* weights = shared->weights + step % Tile::kStepsPerColumns * Tile::kDepth;
#pragma unroll
    for (int k = 0; k < Tile::kDepth; ++k) {
      const FourOf<T> upper = load_four(&weights[k][row0]);
      const FourOf<T> lower = load_four(&weights[k][row0 + 4]);
      const FourOf<T> right = load_four(&stage[k][channel0]);
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
  add_along<Tile>(along, *shared);
  __syncthreads();

  for (int r = 0; r < 8; ++r) {
    const int64_t i = i0 + row0 + r;
    if (i >= M || sources.owner[image + i] == 0) continue;
    double dot = 0.0;
    for (int w = 0; w < Tile::kWarpsPerRow && args.normalize; ++w)
      dot += shared->along[w][row0 + r];
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
