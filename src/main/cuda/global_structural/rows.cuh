// cuda/global_structural/rows.cuh: the sampled rows of a batch, gathered and scaled to unit length.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_ROWS_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_ROWS_CUH

#include <math.h>

#include "core/global_structural_args.h"
#include "core/workspace.h"
#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"
#include "cuda/global_structural/shuffle.cuh"

namespace structkd::cuda {
namespace {

// Rows of one net. T is the type of products: f64 for f64 inputs, else f32.
template <class T>
struct Rows {
  int64_t M, C;
  int64_t stride;   // C, up to a multiple of 4: rows start at 16 bytes, the rest of a row is 0
  T* data;          // [B, M, stride]; samples that an image lacks are zero rows
  double* inverse;  // [B, M] 1 / |f| of a scaled row, 0 of a zero row, 1 if rows stay as they are

  Rows(int64_t B, int64_t max_samples, int64_t channels, Workspace& workspace)
      : M(max_samples), C(channels), stride(divide_up(channels, 4) * 4) {
    data = workspace.take<T>(B * M * stride);
    inverse = workspace.take<double>(B * M);
  }

  __device__ T* row(int64_t b, int64_t m) const { return data + (b * M + m) * stride; }
};

// How an image is cut into groups, and its weight in the loss. Made once: it takes divisions of 64
// bits.
struct ImageGroups {
  DescriptorGroups groups;  // M = 0: the image has no samples
  double weight;
  double inverse_tau;
};

__device__ inline ImageGroups image_groups(const GlobalStructuralArgs& args, int64_t b) {
  const int64_t M = samples_of(args, b);
  if (M == 0) return ImageGroups{};
  return {make_groups(M, classes_of(args, b), args.group_width, args.reduction, args.remainder),
          image_weight(args, b), 1.0 / args.temperature};
}

// Samples of one pixel form a chain in row order; its first row owns the pixel's gradient.
struct PixelChains {
  int32_t* next;   // [B, M] the next row with the same pixel, or -1
  int32_t* owner;  // [B, M] 1: no row before has the pixel; 0 also where a row has none

  PixelChains(int64_t B, int64_t M, Workspace& workspace)
      : next(workspace.take<int32_t>(B * M)), owner(workspace.take<int32_t>(B * M)) {}
};

// Counters of the launch that compares maps (arrival.cuh).
struct Arrivals {
  uint32_t* tickets;  // blocks that have started
  uint32_t* tiles;    // [B] blocks that have made a tile of an image's maps
  uint32_t* groups;   // [B] blocks that have added up their parts of an image's groups
  uint32_t* images;   // images whose groups are closed

  Arrivals(int64_t B, Workspace& workspace)
      : tickets(workspace.take<uint32_t>(1)),
        tiles(workspace.take<uint32_t>(B)),
        groups(workspace.take<uint32_t>(B)),
        images(workspace.take<uint32_t>(1)) {}

  __device__ void clear(uint32_t b) const {
    tiles[b] = groups[b] = 0;
    if (b == 0) *tickets = *images = 0;
  }
};

constexpr int kRowThreads = 256;

// The chain through row m, by one warp: M / 32 comparisons per lane.
__device__ inline void chain_row(const GlobalStructuralArgs& args,
                                 const PixelChains& chains,
                                 int64_t b,
                                 int64_t m) {
  const int64_t M = samples_of(args, b), entry = b * args.max_samples + m;
  const int64_t pixel = m < M ? pixel_of(args, b, m) : -1;
  const unsigned lane = threadIdx.x % kWarp;
  int32_t next = -1, owner = pixel >= 0;
  // Without a table of indices every pixel stands in one row.
  for (int64_t other0 = 0; pixel >= 0 && args.indices.data != nullptr && other0 < M;
       other0 += kWarp) {
    const int64_t other = other0 + lane;
    const bool same = other < M && pixel_of(args, b, other) == pixel;
    if (__any_sync(kFullWarp, same && other < m)) owner = 0;
    const unsigned later = __ballot_sync(kFullWarp, same && other > m);
    if (later != 0 && next < 0) next = int32_t(other0) + __ffs(int(later)) - 1;
  }
  if (lane == 0) {
    chains.next[entry] = next;
    chains.owner[entry] = owner;
  }
}

// One warp gathers one row of one net. Lanes go over channels: in NCHW each element is a 32-byte
// sector of its own whoever reads it, so that 64 M C bytes are read per image of f32 maps, and the
// rows are written densely; in channels-last both sides are dense.
template <class Element, class T>
__device__ void gather_row(const GlobalStructuralArgs& args,
                           const MapOf<const Element>& map,
                           const Rows<T>& rows,
                           int64_t b,
                           int64_t m) {
  const int lane = threadIdx.x % kWarp;
  const int64_t pixel = m < samples_of(args, b) ? pixel_of(args, b, m) : -1;
  const Element* source = map.at(b, 0, pixel < 0 ? 0 : pixel);
  T* row = rows.row(b, m);
  double squares = 0.0;
  for (int64_t c = lane; c < rows.stride; c += kWarp) {
    const T value = pixel < 0 || c >= rows.C ? T(0) : T(widen(source[c * map.stride_c]));
    row[c] = value;
    squares += double(value) * double(value);
  }
  const double norm = sqrt(warp_sum(squares));
  // A NaN is not a zero row: it must show.
  const double inverse = !args.normalize ? 1.0 : norm <= args.eps ? 0.0 : 1.0 / norm;
  if (lane == 0) rows.inverse[b * rows.M + m] = inverse;
  if (!args.normalize) return;
  // Each lane reads what it wrote.
  for (int64_t c = lane; c < rows.C; c += kWarp) row[c] = T(row[c] * inverse);
}

constexpr int kClearedPerThread = 4;  // 16 bytes of f32

// Every element of the gradient that no row reaches is 0: all are cleared here, ahead of the rows,
// by all threads of the grid.
template <class Gradient>
__device__ void clear_map(const MapOf<Gradient>& map) {
  const int64_t N = map.H * map.W;
  if (map.is_dense() && reinterpret_cast<uintptr_t>(map.data) % 16 == 0) {
    constexpr int64_t kPer16Bytes = 16 / int64_t(sizeof(Gradient));
    const int64_t first = int64_t(blockIdx.x) * kRowThreads + threadIdx.x;
    const int64_t step = int64_t(gridDim.x) * kRowThreads, elements = map.B * map.C * N;
    uint4* words = reinterpret_cast<uint4*>(map.data);
    for (int64_t i = first; i < elements / kPer16Bytes; i += step)
      words[i] = make_uint4(0, 0, 0, 0);
    for (int64_t i = elements / kPer16Bytes * kPer16Bytes + first; i < elements; i += step) {
      map.data[i] = narrow<Gradient>(0.0f);
    }
    return;
  }
  // A block per channel of an image: no division of 64 bits, which is a call, by N.
  const uint32_t C = uint32_t(map.C), planes = uint32_t(map.B) * C;
  for (uint32_t plane = blockIdx.x; plane < planes; plane += gridDim.x) {
    for (int64_t n = threadIdx.x; n < N; n += kRowThreads) {
      *map.at(plane / C, plane % C, n) = narrow<Gradient>(0.0f);
    }
  }
}

// Warp w of the grid takes row w of 3 B M: first the student's, then the teacher's, then the order
// of columns. Then all threads clear the gradient, if there is one. Per image of f32 maps with C
// channels each: reads 64 M C bytes (planes) and the rows to scale them, 8 M C from the first
// cache; writes the rows, 8 M^2 bytes of order and groups and, cleared, 4 C bytes per pixel.
// 4: the compiler may take 64 registers; left alone it aims at 48 for sm_100, and spills.
template <class Element, class Gradient>
__global__ void __launch_bounds__(kRowThreads, 4)
    gather_rows_warp_per_row_kernel(GlobalStructuralArgs args,
                                    MapOf<const Element> student,
                                    MapOf<const Element> teacher,
                                    Rows<Widened<Element>> student_rows,
                                    Rows<Widened<Element>> teacher_rows,
                                    ImageGroups* images,
                                    Shuffle shuffle,
                                    PixelChains chains,
                                    Arrivals arrivals,
                                    MapOf<Gradient> grad) {
  // 32 bits hold three rows for each of a batch, whose maps fit in memory.
  const uint32_t w = blockIdx.x * (kRowThreads / kWarp) + threadIdx.x / kWarp;
  const uint32_t M = uint32_t(args.max_samples), rows = uint32_t(args.student.B) * M;
  if (w < args.student.B && threadIdx.x % kWarp == 0) arrivals.clear(w);
  if (w < rows) {
    const uint32_t b = w / M, m = w % M;
    gather_row(args, student, student_rows, b, m);
    if (m == 0 && threadIdx.x % kWarp == 0) images[b] = image_groups(args, b);
    if (grad.data != nullptr) chain_row(args, chains, b, m);
  } else if (w < 2 * rows) {
    gather_row(args, teacher, teacher_rows, (w - rows) / M, (w - rows) % M);
  } else if (w < 3 * rows) {
    shuffle_row(args, shuffle, (w - 2 * rows) / M, (w - 2 * rows) % M);
  }
  if (grad.data != nullptr) clear_map(grad);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_ROWS_CUH
