// cuda/inter_class_similarity/product_shape.cuh: how the sums of products.cuh are cut, and where
// they go: launcher and kernel share it.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH

#include "cuda/inter_class_similarity/tile.cuh"

namespace structkd::cuda {
namespace {

// Numbers that are added to a sum in T before f64 takes over. A sum of 512 rounds to about 5e-7 of
// itself in f32, and to less as soon as several of them are added.
constexpr int kChain = 512;

// How far a logit may lie above the top of its class, in units of u, before sums are rescaled.
// e^8 = 3000: products of logits up to 1e30 stay finite in f32.
constexpr float kSlack = 8.0f;

// How the K x K outputs and the pixels are cut, by K alone.
struct ProductShape {
  int rows, columns;                // classes of an output tile
  int row_tiles, column_tiles;      // of them
  int thread_rows, thread_columns;  // threads, or warps, that share an output tile
  int slices;                       // of a tile of pixels, each for as many of them
  int pixels, stride;           // of a tile, and from one of its rows to the next in shared memory
  int row_slots, column_slots;  // rows in shared memory: classes, rounded up
  int tile_numbers;             // in shared memory: the tile, or the sums of slices to be added
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

// The tile and, behind it, numbers per class: shift and top, a factor, the shift of a column.
template <class T>
size_t product_shared_bytes(const ProductShape& shape) {
  const size_t classes = size_t(3) * shape.row_slots + shape.column_slots;
  return (size_t(shape.tile_numbers) + classes) * sizeof(T);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_SHAPE_CUH
