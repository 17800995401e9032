// cuda/global_structural/shuffle.cuh: where the columns of each row stand, and the group of each
// entry of a map. A group has `width` positions of every row.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SHUFFLE_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SHUFFLE_CUH

#include "core/global_structural_args.h"
#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

struct Shuffle {
  int32_t* columns;  // [B, M, M] by row and position, -1 behind the last; or nullptr: in order
  int32_t* groups;   // [B, M, pitch] by row and column, -1: none; or nullptr: nobody asks
  int64_t pitch;

  // Column at a position of a row, counted over the batch; -1: none.
  __device__ int32_t column(uint32_t row, uint32_t position, uint32_t M) const {
    return columns == nullptr ? int32_t(position) : columns[uint64_t(row) * M + position];
  }
};

// Orders a row by a permutation that is drawn, or by none: each column walks through the network of
// core/permutation.h, once. One warp does it.
__device__ inline void shuffle_row_by_key(const GlobalStructuralArgs& args,
                                          const Shuffle& shuffle,
                                          int64_t b,
                                          uint32_t m,
                                          uint32_t M,
                                          uint32_t width) {
  const int64_t row = b * args.max_samples + m;
  const RandomKey image = image_key(args.seed, *args.step, b, kPurposeShuffle);
  const Permutation pi = make_permutation(absorb(image, shuffle_stream(args.shuffle, m)), M);
  for (uint32_t j = threadIdx.x % kWarp; j < M; j += kWarp) {
    const uint32_t position = shuffle.columns == nullptr ? j : position_of(pi, j);
    if (shuffle.columns != nullptr) {
      shuffle.columns[row * args.max_samples + position] = int32_t(j);
    }
    if (shuffle.groups != nullptr) shuffle.groups[row * shuffle.pitch + j] = position / width;
  }
}

// Orders a row by a table, whose entries that name no column, or one again, are left out. Columns
// that no entry names have no group. One warp does it, and sees in `groups` what it has seen.
__device__ inline void shuffle_row_by_table(const GlobalStructuralArgs& args,
                                            const Shuffle& shuffle,
                                            int64_t b,
                                            uint32_t m,
                                            uint32_t M,
                                            uint32_t width) {
  const unsigned lane = threadIdx.x % kWarp;
  const int64_t row = b * args.max_samples + m;
  int32_t* columns = shuffle.columns + row * args.max_samples;
  int32_t* groups = shuffle.groups + row * shuffle.pitch;
  for (uint32_t j = lane; j < M; j += kWarp) columns[j] = groups[j] = -1;
  __syncwarp();
  const IntTable& table = args.permutation;
  const int64_t table_row = args.shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0 : m;
  const int32_t* entries = table.data + b * table.stride_b + table_row * table.stride_r;
  uint32_t position = 0;
  for (int64_t p0 = 0; p0 < table.columns && position < M; p0 += kWarp) {
    const int64_t p = p0 + lane;
    int32_t j = p < table.columns ? entries[p * table.stride_c] : -1;
    if (j < 0 || uint32_t(j) >= M || groups[j] >= 0) j = -1;
    // Of equal entries the first counts.
    for (int earlier = 0; earlier < kWarp; ++earlier) {
      const int32_t other = __shfl_sync(kFullWarp, j, earlier);
      if (earlier < int(lane) && other == j) j = -1;
    }
    const unsigned named = __ballot_sync(kFullWarp, j >= 0);
    if (j >= 0) {
      const uint32_t own = position + __popc(named & ((1u << lane) - 1));
      columns[own] = j;
      groups[j] = int32_t(own / width);
    }
    position += __popc(named);
    __syncwarp();
  }
}

// Orders a row, by one warp. It writes 8 bytes per entry, and reads 4 of a table.
__device__ inline void shuffle_row(const GlobalStructuralArgs& args,
                                   const Shuffle& shuffle,
                                   int64_t b,
                                   uint32_t m) {
  const uint32_t M = uint32_t(samples_of(args, b));  // M <= 2^20
  if (m >= M) return;
  const uint32_t full = uint32_t(full_width(M, classes_of(args, b), args.group_width));
  const uint32_t width = full == 0 ? 1 : full;
  if (args.permutation.data != nullptr && shuffle.columns != nullptr) {
    shuffle_row_by_table(args, shuffle, b, m, M, width);
  } else {
    shuffle_row_by_key(args, shuffle, b, m, M, width);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_SHUFFLE_CUH
