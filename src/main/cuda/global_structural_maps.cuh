// cuda/global_structural_maps.cuh: the similarity maps V of a batch, [B, M, M].
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH

#include "global_structural_rows.cuh"

namespace structkd::cuda {
namespace {

constexpr int kMapTile = 64;      // a block's tile of V: 64 x 64
constexpr int kMapThreads = 128;  // 8 x 4 elements each
constexpr int kMapDepth = 16;     // channels per step
constexpr int kMapPad =
    4;  // rows of the stage stay 16-byte aligned, and stores miss each other's banks

// stage[k][r] = rows[first + r][k0 + k], 0 beyond the rows: 16 channels of 64 rows.
template <class T>
__device__ void stage_rows(const Rows<T>& rows,
                           int64_t b,
                           int64_t first,
                           int64_t M,
                           int64_t k0,
                           T (&stage)[kMapDepth][kMapTile + kMapPad]) {
  // Thread t reads 4 neighbouring channels of row t / 4 and of row 32 + t / 4.
  const int k = threadIdx.x % 4 * 4;
  for (int r = threadIdx.x / 4; r < kMapTile; r += kMapThreads / 4) {
    const bool inside = first + r < M && k0 + k < rows.stride;
    const T* row = rows.row(b, inside ? first + r : 0) + (inside ? k0 + k : 0);
#pragma unroll
    for (int i = 0; i < 4; ++i) stage[k + i][r] = inside ? row[i] : T(0);
  }
}

// acc[i][j] += <a row i, b row j>: rows 8 * (t / 16) + i of the one, 4 * (t % 16) + j of the other.
template <class T>
__device__ __forceinline__ void multiply_stages(const T (&a)[kMapDepth][kMapTile + kMapPad],
                                                const T (&b)[kMapDepth][kMapTile + kMapPad],
                                                T (&acc)[8][4]) {
  const int row = threadIdx.x / 16 * 8, column = threadIdx.x % 16 * 4;
#pragma unroll
  for (int k = 0; k < kMapDepth; ++k) {
    T left[8], right[4];
#pragma unroll
    for (int i = 0; i < 8; ++i) left[i] = a[k][row + i];
#pragma unroll
    for (int j = 0; j < 4; ++j) right[j] = b[k][column + j];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) acc[i][j] += left[i] * right[j];
    }
  }
}

// What a block of the maps' grid does.
struct MapTask {
  int64_t b;
  bool student;
  int64_t i, j;  // tile; j >= i unless the map is not symmetric
};

// V = A B' of one image, 64 x 64 elements per block: grid (tile pair, 2 B), even y the student's
// map. Tiles below the diagonal of a symmetric map are left to their mirror images. 2 M C elements
// are read per tile row from L2; 2 M^2 written. Shared memory: two stages, 9 KB (f32).
template <class T>
__global__ void __launch_bounds__(kMapThreads) similarity_map_tile_per_block_kernel(
    GlobalStructuralArgs args, Rows<T> student, Rows<T> teacher, T* student_map, T* teacher_map) {
  STRUCTKD_SHARED(T, left, [kMapDepth][kMapTile + kMapPad]);
  STRUCTKD_SHARED(T, right, [kMapDepth][kMapTile + kMapPad]);
  const int64_t b = blockIdx.z, tiles = divide_up(args.max_samples, kMapTile);
  const bool is_student = blockIdx.y == 0;
  const bool symmetric = !is_student || args.similarity == STRUCTKD_SIMILARITY_SELF;
  const int64_t i0 = blockIdx.x / tiles * kMapTile, j0 = blockIdx.x % tiles * kMapTile;
  const int64_t M = samples_of(args, b), stride = args.max_samples;
  if (i0 >= M || j0 >= M || (symmetric && j0 < i0)) return;
  const Rows<T>& a_rows = is_student ? student : teacher;
  const Rows<T>& b_rows = symmetric ? a_rows : teacher;

  T acc[8][4] = {};
  for (int64_t k0 = 0; k0 < a_rows.C; k0 += kMapDepth) {
    __syncthreads();
    stage_rows(a_rows, b, i0, M, k0, left);
    stage_rows(b_rows, b, j0, M, k0, right);
    __syncthreads();
    multiply_stages(left, right, acc);
  }

  T* map = (is_student ? student_map : teacher_map) + b * stride * stride;
  const int64_t row = i0 + threadIdx.x / 16 * 8, column = j0 + threadIdx.x % 16 * 4;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (row + i >= M || column + j >= M) continue;
      map[(row + i) * stride + column + j] = acc[i][j];
      // The mirror image. Within the diagonal tile both halves are computed, to the same bits.
      if (symmetric && j0 > i0) map[(column + j) * stride + row + i] = acc[i][j];
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH
