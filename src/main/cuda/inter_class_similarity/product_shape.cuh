// cuda/inter_class_similarity/product_shape.cuh: how the sums of products.cuh are cut, and where
// they go: launcher and kernel share it.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH

#include "cuda/inter_class_similarity/tile.cuh"

namespace structkd::cuda {
namespace {

constexpr int kProductThreads = 192, kProductWarps = kProductThreads / kWarp;

// How the K x K outputs and the pixels are cut, by K alone.
struct ProductShape {
  int rows, columns;                // classes of an output tile
  int row_tiles, column_tiles;      // of them
  int thread_rows, thread_columns;  // threads that share an output tile
  int slices;                       // of a tile of pixels, each for as many threads
  int pixels, stride;           // of a tile, and from one of its rows to the next in shared memory
  int row_slots, column_slots;  // rows in shared memory: classes, rounded up
};

// Sums of the parts of one net, [B, parts, ...].
template <class T>
struct PartSums {
  double* products;  // [K, K]
  double* mass;      // [K]
  T* top;            // [K] of u; -inf if the part has no valid pixel
  T* shift;          // [K]
};

template <class Element>
struct ProductTask {
  MapOf<Element> student, teacher;
  Plane mask;
  Widened<Element> inverse_temperature;
  int64_t pixels;  // of an image
  int tiles, parts;
  PartSums<Widened<Element>> student_sums, teacher_sums;
  int64_t* valid_pixels;  // [B, parts]
  ProductShape shape;
};

template <class T, int V>
struct alignas(sizeof(T) * V) Chunk {
  T at[V];
};

// Numbers in shared memory: the tile; or the sums of one row of all threads, when slices are added.
__host__ __device__ inline size_t product_tile_numbers(const ProductShape& shape, int C) {
  const size_t tile = size_t(shape.row_slots + shape.column_slots) * shape.stride;
  const size_t sums = size_t(C) * (kProductThreads + kWarp);
  return tile > sums ? tile : sums;
}

// The numbers behind them, per class: shift and top, a factor, the shift of a column.
template <class T>
size_t product_shared_bytes(const ProductShape& shape, int C) {
  const size_t classes = size_t(3) * shape.row_slots + shape.column_slots;
  return (product_tile_numbers(shape, C) + classes) * sizeof(T);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH
