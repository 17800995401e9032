// cuda/global_structural/maps.cuh: the similarity maps V = A B' of a batch, [B, M, pitch].
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH

#include "cuda/global_structural/rows.cuh"

namespace structkd::cuda {
namespace {

template <class T>
struct SimilarityMaps {
  int64_t pitch;  // M, up to a multiple of 4: rows start at 16 bytes
  T* student;     // [B, M, pitch]
  T* teacher;

  SimilarityMaps(int64_t B, int64_t M, Workspace& workspace)
      : pitch(divide_up(M, 4) * 4),
        student(workspace.take<T>(B * M * pitch)),
        teacher(workspace.take<T>(B * M * pitch)) {}
};

constexpr int kMapDepth = 16;  // channels per step

// A block makes Tile x Tile entries of a map. Split groups of threads take every Split-th step of
// the channels: where M is small there are few tiles, and their steps wait for memory one by one.
// RowLanes neighbouring lanes read neighbouring channels of a row, the next lanes the next row.
template <class T, int Tile, int Split, int RowLanes>
struct MapTile {
  static constexpr int kTile = Tile, kSplit = Split, kRowLanes = RowLanes;
  static constexpr int kGroup = Tile / 8 * (Tile / 4);  // threads of 8 x 4 entries
  static constexpr int kThreads = Split * kGroup;
  static constexpr int kBlocks = sizeof(T) != sizeof(float) ? 2
                                 : Split > 1                ? 3
                                                            : 5;               // on a multiprocessor at least
  static constexpr int kLoads = Tile * kMapDepth / 4 / kGroup;  // of four channels, per operand
  // Where lanes put channels of two sectors they would meet in one bank: the rows of the upper half
  // of the channels stand eight places on.
  static constexpr int kShift = RowLanes == 4 ? 8 : 0;
  static constexpr int kPitch = Tile + kShift + 4;  // rows of a stage stay 16-byte aligned
  struct alignas(16) Stage {
    T at[kMapDepth][kPitch];  // by channel and place of the row
  };
  __device__ static constexpr int place_of(int row, int channel) {
    return channel < kMapDepth / 2 ? row : row + kShift;
  }
};

// Up to this many samples the small tile has the shorter way (H200: 152 samples).
constexpr int64_t kSmallMap = 320;
template <class T>
using SmallMapTile = MapTile<T, 32, 16 / int(sizeof(T)), 8 / int(sizeof(T))>;
template <class T>
using LargeMapTile = MapTile<T, 64, 1, 4>;

// Four neighbouring channels of each of a thread's rows, on their way from memory to a stage.
template <class Shape, class T>
struct RowsInFlight {
  FourOf<T> channels[Shape::kLoads];

  __device__ static int row_of(int e) { return e / Shape::kRowLanes % Shape::kTile; }
  __device__ static int channel_of(int e) {
    constexpr int kLanes = Shape::kRowLanes;
    return (e % kLanes + e / (kLanes * Shape::kTile) * kLanes) * 4;
  }

  __device__ void fetch(const Rows<T>& rows, int64_t b, int64_t first, int64_t M, int64_t k0) {
    const int t = threadIdx.x % Shape::kGroup;
#pragma unroll
    for (int l = 0; l < Shape::kLoads; ++l) {
      const int e = l * Shape::kGroup + t, row = row_of(e), k = channel_of(e);
      const bool inside = first + row < M && k0 + k < rows.stride;
      channels[l] = inside ? load_four(rows.row(b, first + row) + k0 + k) : FourOf<T>{};
    }
  }

  // Four channels on, a row is 16 banks on: no bank conflicts. (f64: large tiles put two lanes to a
  // bank.)
  __device__ void put(T (&stage)[kMapDepth][Shape::kPitch]) const {
    const int t = threadIdx.x % Shape::kGroup;
#pragma unroll
    for (int l = 0; l < Shape::kLoads; ++l) {
      const int e = l * Shape::kGroup + t, k = channel_of(e), row = Shape::place_of(row_of(e), k);
#pragma unroll
      for (int i = 0; i < 4; ++i) stage[k + i][row] = channels[l].value[i];
    }
  }
};

// entries[i][j] += <a row i, b row j> over one step; 8 rows of the one, 4 of the other per thread.
template <class Shape, class T>
__device__ __forceinline__ void multiply_stages(const T (&a)[kMapDepth][Shape::kPitch],
                                                const T (&b)[kMapDepth][Shape::kPitch],
                                                T (&entries)[8][4]) {
  const int t = threadIdx.x % Shape::kGroup;
  const int row = t / (Shape::kTile / 4) * 8, column = t % (Shape::kTile / 4) * 4;
#pragma unroll
  for (int k = 0; k < kMapDepth; ++k) {
    const FourOf<T> upper = load_four(&a[k][Shape::place_of(row, k)]);
    const FourOf<T> lower = load_four(&a[k][Shape::place_of(row + 4, k)]);
    const FourOf<T> right = load_four(&b[k][Shape::place_of(column, k)]);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        entries[i][j] += upper.value[i] * right.value[j];
        entries[i + 4][j] += lower.value[i] * right.value[j];
      }
    }
  }
}

// Adds the groups' parts of the tile in the first group, in group order.
template <class Shape, class T>
__device__ void add_groups(T* shared, T (&entries)[8][4]) {
  if constexpr (Shape::kSplit > 1) {
    const int group = threadIdx.x / Shape::kGroup, t = threadIdx.x % Shape::kGroup;
    __syncthreads();  // the stages have been read
    if (group > 0) {
#pragma unroll
      for (int e = 0; e < 32; ++e) {
        shared[((group - 1) * 32 + e) * Shape::kGroup + t] = entries[e / 4][e % 4];
      }
    }
    __syncthreads();
    if (group > 0) return;
    for (int other = 0; other < Shape::kSplit - 1; ++other) {
#pragma unroll
      for (int e = 0; e < 32; ++e) {
        entries[e / 4][e % 4] += shared[(other * 32 + e) * Shape::kGroup + t];
      }
    }
  }
}

// The place of a tile in a map: which tile of rows meets which of the other operand.
struct TilePair {
  uint32_t row, column;
};

// The tiles on and above the diagonal of `tiles` x `tiles`, counted in rows of tiles + 1: a row
// from the upper end, then the one that it leaves room for from the lower end.
__host__ __device__ constexpr uint32_t upper_tiles(uint32_t tiles) {
  return tiles * (tiles + 1) / 2;
}
__device__ inline TilePair upper_tile(uint32_t tile, uint32_t tiles) {
  const uint32_t upper = tile / (tiles + 1), at = tile % (tiles + 1), length = tiles - upper;
  if (at < length) return {upper, upper + at};
  const uint32_t lower = tiles - 1 - upper;
  return {lower, lower + at - length};
}

// Makes one tile of one map. All tiles read the rows of a net, once per row of tiles, from L2, and
// write M^2 numbers. Steps are read one ahead, into registers; two stages of shared memory leave a
// step one barrier.
template <class Shape, class T>
__device__ __forceinline__ void make_map_tile(const Rows<T>& a_rows,
                                              const Rows<T>& b_rows,
                                              int64_t b,
                                              int64_t M,
                                              TilePair tile,
                                              bool symmetric,
                                              int64_t pitch,
                                              T* map) {
  STRUCTKD_SHARED(typename Shape::Stage, stages, [2][Shape::kSplit][2]);
  const int64_t i0 = int64_t(tile.row) * Shape::kTile, j0 = int64_t(tile.column) * Shape::kTile;
  if (i0 >= M || j0 >= M) return;
  const int group = threadIdx.x / Shape::kGroup;
  constexpr int kStep = kMapDepth * Shape::kSplit;
  const int64_t steps = divide_up(a_rows.C, kStep), k_of_group = group * kMapDepth;
  RowsInFlight<Shape, T> left, right;
  left.fetch(a_rows, b, i0, M, k_of_group);
  right.fetch(b_rows, b, j0, M, k_of_group);
  T entries[8][4] = {};
  for (int64_t step = 0; step < steps; ++step) {
    auto& stage = stages[step % 2][group];
    left.put(stage[0].at);
    right.put(stage[1].at);
    __syncthreads();
    if (step + 1 < steps) {
      left.fetch(a_rows, b, i0, M, (step + 1) * kStep + k_of_group);
      right.fetch(b_rows, b, j0, M, (step + 1) * kStep + k_of_group);
    }
    multiply_stages<Shape>(stage[0].at, stage[1].at, entries);
  }
  add_groups<Shape>(&stages[0][0][0].at[0][0], entries);
  if (group > 0) return;

  const int64_t row = i0 + threadIdx.x / (Shape::kTile / 4) * 8;
  const int64_t column = j0 + threadIdx.x % (Shape::kTile / 4) * 4;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (row + i >= M || column + j >= M) continue;
      map[(row + i) * pitch + column + j] = entries[i][j];
      // The mirror image. Within the diagonal tile both halves are computed, to the same bits.
      if (symmetric && j0 > i0) map[(column + j) * pitch + row + i] = entries[i][j];
    }
  }
}

// Both maps of an image, cut into tiles: the teacher's, then the student's.
template <class Shape>
struct MapTiles {
  uint32_t side;  // tiles
  bool cross;     // the student's map is <student row, teacher row>, which has no mirror image

  __host__ __device__ uint32_t of_student() const {
    return cross ? side * side : upper_tiles(side);
  }
  __host__ __device__ uint32_t count() const { return upper_tiles(side) + of_student(); }

  template <class T>
  __device__ __forceinline__ void make(uint32_t number,
                                       const Rows<T>& student,
                                       const Rows<T>& teacher,
                                       int64_t b,
                                       int64_t M,
                                       const SimilarityMaps<T>& maps) const {
    const bool of_teacher = number < upper_tiles(side);
    const uint32_t tile = of_teacher ? number : number - upper_tiles(side);
    const bool symmetric = of_teacher || !cross;
    const TilePair pair = symmetric ? upper_tile(tile, side) : TilePair{tile / side, tile % side};
    const Rows<T>& rows = of_teacher ? teacher : student;
    T* map = (of_teacher ? maps.teacher : maps.student) + b * student.M * maps.pitch;
    make_map_tile<Shape>(rows, symmetric ? rows : teacher, b, M, pair, symmetric, maps.pitch, map);
  }
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_MAPS_CUH
