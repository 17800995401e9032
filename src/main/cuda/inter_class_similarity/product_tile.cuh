// cuda/inter_class_similarity/product_tile.cuh: what a block of products.cuh multiplies: a tile of
// e^{u - top} of its output's rows and one of u of its columns, in shared memory, from the logits.
//
//   u_j = (z_j - shift_j) / temperature;  shift_j: the softmax mean of the first tile with a valid
//   pixel, so that u is small where p is large;  top_i: the maximum of u_i over that tile
//
// Where a later logit is above top by more than kSlack, store_rows says so and raise_tops mends it:
// rare, and above 0 an exponential is as exact as below.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_TILE_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_TILE_CUH

#include "cuda/inter_class_similarity/product_shape.cuh"
#include "cuda/inter_class_similarity/shift.cuh"

namespace structkd::cuda {
namespace {

template <class Element, int Threads, int Batch>
struct ProductTile {
  using T = Widened<Element>;
  static constexpr int kWarps = Threads / kWarp;

  const ProductTask<Element>& task;
  const ProductShape& shape;
  T* memory;         // of the tile, and of sums between tiles
  T *e, *u;          // [slots, stride]
  Chunk<T, 2>* row;  // [row_slots] shift and top
  T* factor;         // [row_slots]
  T* column_shift;   // [column_slots]
  const TileShare<kWarps> share;
  const Element* image;
  const Element* next;  // logit to load: of the thread's pixel in the tile ahead
  bool valid = false;   // that pixel counts
  int64_t stride_c;
  int b, part, begin, end;  // image, part of all images, tiles of the part
  int K, row0, column0, rows, columns;
  bool is_student, is_square;

  __device__ __forceinline__ ProductTile(const ProductTask<Element>& of, T* shared)
      : task(of), shape(of.shape), share(of.shape.pixels) {
    // 32 bits throughout: a 64-bit division is a call, around which registers are spilled.
    unsigned index = blockIdx.x;
    const int outputs = shape.row_tiles * shape.column_tiles;
    const int output = int(index % unsigned(outputs));
    index /= unsigned(outputs);
    is_student = index % 2 == 0;
    part = int(index / 2);
    b = part / task.parts;
    K = int(task.student.C);
    row0 = output / shape.column_tiles * shape.rows;
    column0 = output % shape.column_tiles * shape.columns;
    rows = smaller(shape.rows, K - row0);
    columns = smaller(shape.columns, K - column0);
    is_square = outputs == 1;
    image = map().data + b * map().stride_b;
    stride_c = map().stride_c;

    memory = shared;
    e = shared;
    u = e + shape.row_slots * shape.stride;
    T* behind = shared + shape.tile_numbers;
    row = reinterpret_cast<Chunk<T, 2>*>(behind);
    factor = behind + 2 * shape.row_slots;
    column_shift = factor + shape.row_slots;

    const int in_image = part % task.parts, longer = task.tiles % task.parts;
    begin = in_image * (task.tiles / task.parts) + smaller(in_image, longer);
    end = begin + task.tiles / task.parts + (in_image < longer ? 1 : 0);
  }

  // Chosen where it is used, it takes no registers in between.
  __device__ __forceinline__ MapOf<Element> map() const {
    return is_student ? task.student : task.teacher;
  }

  // Rows that hold no class take part in products whose results are left out: anything finite.
  __device__ __forceinline__ void clear() {
#pragma unroll 1
    for (int i = int(threadIdx.x); i < (shape.row_slots + shape.column_slots) * shape.stride;
         i += Threads) {
      memory[i] = T(0);
    }
  }

  __device__ __forceinline__ void clear_shifts() {
#pragma unroll 1
    for (int i = int(threadIdx.x); i < shape.row_slots; i += Threads) {
      const Chunk<T, 2> shift_top = {{T(0), i < rows ? T(-INFINITY) : T(0)}};
      row[i] = shift_top;
    }
  }

  // The pixel of this thread in a tile. The tile of a product has one segment per warp.
  __device__ __forceinline__ int pixel() const {
    return share.segment * kWarp + int(threadIdx.x) % kWarp;
  }

  // From here on next and valid are those of tile t.
  __device__ __forceinline__ void aim(int t) {
    const int64_t n = int64_t(t) * shape.pixels + pixel();
    valid = t < end && share.segment < share.segments &&
            is_valid(task.mask, b, n, task.pixels, task.student.W);
    next = image + (row0 + share.row) * stride_c;
    if (valid) next += map().pixel_offset(n);
  }

  // Rows are loaded and stored in as many rounds.
  __device__ __forceinline__ int rounds() const {
    return int(divide_up(rows, share.row_step * Batch));
  }

  __device__ __forceinline__ void load_rows(int round, Element (&raw)[Batch]) {
    const int64_t step = share.row_step * stride_c;
    int of = share.row + round * Batch * share.row_step;
#pragma unroll
    for (int i = 0; i < Batch; ++i) {
      raw[i] = valid && of < rows ? *next : Element{};
      next += step;
      of += share.row_step;
    }
  }

  // A batch of e^u, and of u where rows and columns are the same classes, to shared memory. True if
  // a logit is too far above top. No branches: an ignored pixel, whose logits were loaded as 0,
  // gets factors 0, and rows that hold no class have slots.
  __device__ __forceinline__ bool store_rows(int round,
                                             const Element (&raw)[Batch],
                                             bool counts) const {
    const T scale = counts ? task.inverse_temperature : T(0), weight = counts ? T(1) : T(0);
    const int first = share.row + round * Batch * share.row_step;
    const Chunk<T, 2>* of_row = row + first;
    T* to_e = e + first * shape.stride + pixel();
    T* to_u = u + first * shape.stride + pixel();
    bool above = false;
#pragma unroll
    for (int i = 0; i < Batch; ++i) {
      const Chunk<T, 2> shift_top = *of_row;
      const T scaled = (widen(raw[i]) - shift_top.at[0]) * scale;
      const T exponent = scaled - shift_top.at[1];
      above |= exponent > T(kSlack);
      *to_e = exponential(exponent) * weight;
      if (is_square) *to_u = scaled;
      of_row += share.row_step;
      to_e += share.row_step * shape.stride;
      to_u += share.row_step * shape.stride;
    }
    return above;
  }

  __device__ __forceinline__ void store_columns(int t) const {
    if (share.segment >= share.segments) return;
    const int64_t n = int64_t(t) * shape.pixels + pixel();
    const bool counts = is_valid(task.mask, b, n, task.pixels, task.student.W);
    const Element* from = image + column0 * stride_c + (counts ? map().pixel_offset(n) : 0);
#pragma unroll 4
    for (int column = share.row; column < columns; column += share.row_step) {
      const T z = T(widen(from[counts ? column * stride_c : 0]));
      u[column * shape.stride + pixel()] =
          counts ? (z - column_shift[column]) * task.inverse_temperature : T(0);
    }
  }

  __device__ __forceinline__ PixelRange<Element> range(int t) const {
    return {is_student ? task.student : task.teacher,
            task.mask,
            b,
            int64_t(t) * shape.pixels,
            task.pixels,
            shape.pixels};
  }

  // Shifts and tops from tile t, one warp per class. Begins with marks that all threads see.
  __device__ __forceinline__ void set_shifts(int t) const {
    const int classes = rows + (is_square ? 0 : columns);
#pragma unroll 1
    for (int i = int(threadIdx.x) / kWarp; i < classes; i += kWarps) {
      const int k = i < rows ? row0 + i : column0 + i - rows;
      const T most = range(t).maximum(k);
      const T shift = range(t).mean(k, most, task.inverse_temperature);
      if (threadIdx.x % kWarp != 0) continue;
      if (i < rows) {
        row[i].at[0] = shift;
        row[i].at[1] = (most - shift) * task.inverse_temperature;
      } else {
        column_shift[i - rows] = shift;
      }
    }
  }

  // Raises tops to the maxima of tile t; factor: what sums so far shrink by. Ends with a barrier.
  __device__ __forceinline__ void raise_tops(int t) const {
#pragma unroll 1
    for (int i = int(threadIdx.x) / kWarp; i < rows; i += kWarps) {
      const T most = range(t).maximum(row0 + i);
      const T highest = (most - row[i].at[0]) * task.inverse_temperature;
      __syncwarp(kFullWarp);  // all lanes have read top
      if (threadIdx.x % kWarp == 0) {
        const T top = larger(row[i].at[1], highest);
        factor[i] = exponential(row[i].at[1] - top);
        row[i].at[1] = top;
      }
    }
    __syncthreads();
  }
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_TILE_CUH
