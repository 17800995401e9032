// cuda/global_structural_grad.cuh: from the slope of the loss by each map entry to the gradient of
// the student's map.
//
//   h_i = sum_j (U_ij + U_ji) x_j      U = d loss / d V_S, V_S = X X'     (CROSS: sum_j U_ij y_j)
//   g_i = (h_i - x_i <x_i, h_i>) / |f_i|                                 through the unit length
//
// Rows of one pixel are equal, so the pixel's gradient is that of the sum of their U: the first row
// of the chain adds the U of all, in row order, and alone writes.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH

#include "global_structural_groups.cuh"

namespace structkd::cuda {
namespace {

constexpr int kGradThreads = 256;
constexpr int kGradRows = 16;  // of a block; many small blocks, since M is a few hundred
constexpr int kGradStep = 16;  // rows j per step: 16 x 16 slopes, one per thread

// Channels of a thread: one or two runs of 4, so that a block takes 512 channels of f32, 256 of
// f64.
template <class T>
constexpr int kGradRuns = 8 / int(sizeof(T));
template <class T>
constexpr int kGradChannels = kGradRuns<T> * 4 * (kGradThreads / 4);

// What the blocks of the gradient read.
template <class T>
struct MapsAndSlopes {
  const T* student_map;
  const T* teacher_map;
  const int32_t* groups;
  const GroupSlope<T>* slopes;
  PixelChains chains;
  int64_t stride;  // max_samples
  T inverse_tau;
  bool cross;

  __device__ T slope(int64_t b, int64_t i, int64_t j) const {
    const int64_t entry = (b * stride + i) * stride + j;
    const int32_t group = groups[entry];
    if (group < 0) return T(0);
    return slopes[b * stride + group].at(student_map[entry], teacher_map[entry], inverse_tau);
  }

  // U_ij + U_ji, or U_ij, summed over the rows of i's pixel. 0 for a row that owns no pixel.
  __device__ T weight(int64_t b, int64_t i, int64_t j) const {
    if (chains.owner[b * stride + i] == 0) return T(0);
    T sum = T(0);
    for (int64_t m = i; m >= 0; m = chains.next[b * stride + m]) {
      sum += slope(b, m, j);
      if (!cross) sum += slope(b, j, m);
    }
    return sum;
  }
};

// One block per 16 rows (x) of an image (y), all channels, 512 (f64: 256) at a time: 4 rows by 8
// (4) channels per thread. Reads M C numbers of the rows, and per group of channels 2 M numbers of
// each map per row, from L2. h is parked in `parked` (each thread reads what it wrote) until <x, h>
// is known. Shared memory: 1 KB of slopes and 32 KB of rows. Broadcast or conflict-free reads.
template <class T, class Gradient>
__global__ void __launch_bounds__(kGradThreads)
    row_gradient_rows_per_block_kernel(GlobalStructuralArgs args,
                                       MapsAndSlopes<T> maps,
                                       Rows<T> student,
                                       Rows<T> factors,
                                       T* parked,
                                       MapOf<Gradient> grad) {
  STRUCTKD_SHARED(T, weights, [kGradStep][kGradRows]);
  STRUCTKD_SHARED(T, stage, [kGradStep][kGradChannels<T>]);
  STRUCTKD_SHARED(double, dots, [kGradThreads / kWarp][4]);
  const int64_t b = blockIdx.y, M = samples_of(args, b), i0 = int64_t(blockIdx.x) * kGradRows;
  if (i0 >= M) return;
  const int row0 = threadIdx.x / 64 * 4, channel0 = threadIdx.x % 64 * 4;
  const int64_t C = args.student.C;
  double along[4] = {};

  for (int64_t c0 = 0; c0 < C; c0 += kGradChannels<T>) {
    T h[4][kGradRuns<T> * 4] = {};
    for (int64_t j0 = 0; j0 < M; j0 += kGradStep) {
      __syncthreads();
      {
        // Along j in memory, so that neighbouring threads read neighbouring entries of row i.
        const int r = threadIdx.x / kGradStep, s = threadIdx.x % kGradStep;
        const bool inside = i0 + r < M && j0 + s < M;
        weights[s][r] = inside ? maps.weight(b, i0 + r, j0 + s) : T(0);
      }
      for (int e = threadIdx.x; e < kGradStep * kGradChannels<T>; e += kGradThreads) {
        const int s = e / kGradChannels<T>, c = e % kGradChannels<T>;
        const bool inside = j0 + s < M && c0 + c < factors.stride;
        stage[s][c] = inside ? factors.row(b, j0 + s)[c0 + c] : T(0);
      }
      __syncthreads();
#pragma unroll 4
      for (int s = 0; s < kGradStep; ++s) {
        T w[4];
#pragma unroll
        for (int r = 0; r < 4; ++r) w[r] = weights[s][row0 + r];
#pragma unroll
        for (int c = 0; c < kGradRuns<T> * 4; ++c) {
          const T x = stage[s][c / 4 * 256 + channel0 + c % 4];
#pragma unroll
          for (int r = 0; r < 4; ++r) h[r][c] += w[r] * x;
        }
      }
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (i0 + row0 + r >= M) continue;
      const T* x = student.row(b, i0 + row0 + r);
      T* out = parked + (b * args.max_samples + i0 + row0 + r) * student.stride;
#pragma unroll
      for (int c = 0; c < kGradRuns<T> * 4; ++c) {
        const int64_t channel = c0 + c / 4 * 256 + channel0 + c % 4;
        if (channel >= C) continue;
        along[r] += double(x[channel]) * double(h[r][c]);
        out[channel] = h[r][c];
      }
    }
  }

  // <x_i, h_i>: the 64 threads of a row are two warps.
  __syncthreads();
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const double sum = warp_sum(along[r]);
    if (threadIdx.x % kWarp == 0) dots[threadIdx.x / kWarp][r] = sum;
  }
  __syncthreads();
  const int first_warp = threadIdx.x / 64 * 2;
  for (int r = 0; r < 4; ++r) {
    const int64_t i = i0 + row0 + r;
    if (i >= M || maps.chains.owner[b * args.max_samples + i] == 0) continue;
    const double dot = args.normalize ? dots[first_warp][r] + dots[first_warp + 1][r] : 0.0;
    const double inverse = student.inverse[b * args.max_samples + i];
    const T* x = student.row(b, i);
    const T* in = parked + (b * args.max_samples + i) * student.stride;
    Gradient* out = grad.at(b, 0, pixel_of(args, b, i));
    for (int64_t c0 = 0; c0 < C; c0 += kGradChannels<T>) {
#pragma unroll
      for (int c = 0; c < kGradRuns<T> * 4; ++c) {
        const int64_t channel = c0 + c / 4 * 256 + channel0 + c % 4;
        if (channel >= C) continue;
        const double g = (double(in[channel]) - double(x[channel]) * dot) * inverse;
        out[channel * grad.stride_c] = narrow<Gradient>(g);
      }
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GRAD_CUH
