// cuda/inter_class_similarity/product_forms.cuh: which kernel multiplies the classes, and how it is
// cut: by the number of classes and what the device has.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_FORMS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_FORMS_CUH

#include <type_traits>

#include "core/inter_class_similarity_args.h"
#include "cuda/common/launch.cuh"
#include "cuda/inter_class_similarity/multiply_add_sums.cuh"
#include "cuda/inter_class_similarity/products.cuh"
#include "cuda/inter_class_similarity/tensor_sums.cuh"
#include "cuda/inter_class_similarity/warp_products.cuh"

namespace structkd::cuda {
namespace {

// The shared memory that every GPU gives a block without being asked.
constexpr size_t kSharedBytes = 48 << 10;

// Calls visit(number of blocks of 8 classes) where one warp can have all K classes on tensor cores;
// false where it cannot.
template <class T, class Visit>
bool with_blocks_of_a_warp(int K, Visit&& visit) {
  if constexpr (sizeof(T) == 4) {
    if (!device_traits().has_async_copy) return false;
    switch (divide_up(K, kBlockClasses)) {
      case 1:
        visit(std::integral_constant<int, 1>{});
        return true;
      case 2:
        visit(std::integral_constant<int, 2>{});
        return true;
      case 3:
        visit(std::integral_constant<int, 3>{});
        return true;
    }
  }
  return false;
}

// Blocks that share a tile of pixels in shared memory. A worker, a thread or a warp, has kRows x
// kColumns outputs and takes kChunk pixels at a time; kBatch loads of a thread are in flight.
template <class Sums_, int Rows, int Columns, int Chunk, int Batch>
struct TileProducts {
  using Sums = Sums_;
  static constexpr int kRows = Rows, kColumns = Columns, kChunk = Chunk, kBatch = Batch;

  ProductShape shape;

  int pixels() const { return shape.pixels; }
  int outputs() const { return shape.row_tiles * shape.column_tiles; }

  template <class Element>
  void enqueue(cudaStream_t stream,
               const InterClassSimilarityArgs&,
               ProductTask<Element> task,
               unsigned blocks) const {
    task.shape = shape;
    launch<class_products_kernel<Element, Sums, Batch>>(
        "class_products_kernel", dim3(blocks), dim3(Sums::kThreads),
        product_shared_bytes<Widened<Element>>(shape), stream, task);
  }
};

template <class T, int R, int C, int V, int Batch>
struct MultiplyAddProducts : TileProducts<MultiplyAddSums<T, R, C, V>, R, C, V, Batch> {
  static constexpr int kWorkers = MultiplyAddProducts::Sums::kThreads;
  static constexpr double kChunkInstructions = R * C * V;
  static constexpr size_t kMostShared = kSharedBytes;

  const char* name() const { return "multiply-adds"; }
};

// The instructions of a step: three products and four additions for each of 14 tiles of outputs,
// the products as 6, which is what they take of the tensor cores' cycles on an H200; operands.
struct TensorProducts
    : TileProducts<TensorSums, kTensorWarpRows, kTensorWarpColumns, kTensorStep, 8> {
  static constexpr int kWorkers = TensorSums::kWarps;
  static constexpr double kChunkInstructions = 14 * (3 * 6 + 4) + 90;
  // Two blocks share the 164 KB of an A100's multiprocessor.
  static constexpr size_t kMostShared = 80 << 10;

  const char* name() const { return "tensor cores"; }
};

// Tensor cores, warp by warp, for classes of so many blocks.
template <int Blocks>
struct WarpProductForm {
  int pixels() const { return kWarpTilePixels; }
  int outputs() const { return 1; }
  const char* name() const { return "tensor cores by warp"; }

  template <class Element>
  void enqueue(cudaStream_t stream,
               const InterClassSimilarityArgs& args,
               const ProductTask<Element>& task,
               unsigned blocks) const {
    const bool chunks = takes_chunks<kLanePixels>(args.student, sizeof(Element)) &&
                        takes_chunks<kLanePixels>(args.teacher, sizeof(Element));
    launch<class_products_by_warp_kernel<Element, Blocks>>("class_products_by_warp_kernel",
                                                           dim3(blocks), dim3(kWarpProductThreads),
                                                           0, stream, task, chunks);
  }
};

// The best cut of K classes for a form, and what it costs: instructions of a block per pixel.
template <class T, class Form>
ProductShape product_shape(int K, double* cost) {
  constexpr int kThreads = Form::Sums::kThreads, kWarps = kThreads / kWarp;
  ProductShape best = {};
  *cost = HUGE_VAL;
  const int most_tiles = K / 48 + 2;  // tiles of 48 classes fit whatever the form
  for (int row_tiles = 1; row_tiles <= most_tiles; ++row_tiles) {
    for (int column_tiles = 1; column_tiles <= most_tiles; ++column_tiles) {
      ProductShape shape = {};
      shape.row_tiles = row_tiles;
      shape.column_tiles = column_tiles;
      shape.rows = int(divide_up(K, row_tiles));
      shape.columns = int(divide_up(K, column_tiles));
      // The last tile must not be empty.
      if (shape.rows * (row_tiles - 1) >= K || shape.columns * (column_tiles - 1) >= K) continue;
      shape.thread_rows = int(divide_up(shape.rows, Form::kRows));
      shape.thread_columns = int(divide_up(shape.columns, Form::kColumns));
      const int workers = shape.thread_rows * shape.thread_columns;
      if (shape.rows > kThreads || workers > Form::kWorkers) continue;
      for (int segments = 1; segments <= kWarps; ++segments) {  // of 32 pixels, as many warps each
        if (kWarps % segments != 0) continue;
        shape.pixels = segments * kWarp;
        // Rows are stored in batches: there is a slot for each.
        const int batch = Form::kBatch * kWarps / segments;
        const int stored = int(divide_up(shape.rows, batch)) * batch;
        const bool square = row_tiles * column_tiles == 1;
        shape.row_slots =
            shape.thread_rows * Form::kRows > stored ? shape.thread_rows * Form::kRows : stored;
        shape.column_slots = shape.thread_columns * Form::kColumns;
        if (square && shape.column_slots < stored) shape.column_slots = stored;
        const int chunks = shape.pixels / Form::kChunk;
        shape.slices = Form::kWorkers / workers < chunks ? Form::kWorkers / workers : chunks;
        shape.stride = shape.pixels + Form::kChunk;  // neighbouring rows: a chunk's banks apart
        const size_t tile = size_t(shape.row_slots + shape.column_slots) * shape.stride;
        shape.tile_numbers =
            int(tile > Form::Sums::kSharedNumbers ? tile : Form::Sums::kSharedNumbers);
        if (product_shared_bytes<T>(shape) > Form::kMostShared) continue;
        const double products = double(divide_up(chunks, shape.slices)) * Form::kChunkInstructions;
        const double rounds = 200.0;  // per thread and tile: barriers, loops
        // An exponential with its load and store, done again in every column tile.
        const double exponentials = 25.0 * (stored + (square ? 0 : shape.columns));
        const double instructions = row_tiles * column_tiles *
                                    (kThreads * (products + rounds) / shape.pixels + exponentials);
        if (instructions >= *cost) continue;
        *cost = instructions;
        best = shape;
      }
    }
  }
  return best;
}

// Calls visit(form) with the cheapest form of multiply-adds for K classes. The larger a block of
// outputs, the less a thread reads per product, but not much more fits beside the loads in 168
// registers.
template <class T, class Visit>
void with_multiply_adds(int K, Visit&& visit) {
  double small, square;
  if constexpr (sizeof(T) == 8) {
    using Form = MultiplyAddProducts<T, 4, 4, 2, 4>;
    visit(Form{{product_shape<T, Form>(K, &small)}});
  } else {
    using Small = MultiplyAddProducts<T, 4, 4, 4, 8>;
    using Square = MultiplyAddProducts<T, 8, 8, 2, 5>;
    const ProductShape small_shape = product_shape<T, Small>(K, &small);
    const ProductShape square_shape = product_shape<T, Square>(K, &square);
    if (small <= square) {
      visit(Small{{small_shape}});
    } else {
      visit(Square{{square_shape}});
    }
  }
}

// True where products of many classes take the tensor cores, too: on GPUs of data centres, where
// TF32 is five to eight times as fast as multiply-adds. Elsewhere it is as fast, and three products
// take longer than one.
inline bool tensor_cores_are_fast() {
  return device_traits().has_async_copy && device_traits().fast_f64;
}

// Calls visit(form) with the form of the products for K classes.
template <class T, class Visit>
void with_product_form(int K, Visit&& visit) {
  if (with_blocks_of_a_warp<T>(
          K, [&](auto blocks) { visit(WarpProductForm<decltype(blocks)::value>{}); })) {
    return;
  }
  if constexpr (sizeof(T) == 4) {
    if (tensor_cores_are_fast()) {
      double cost;
      visit(TensorProducts{{product_shape<T, TensorProducts>(K, &cost)}});
      return;
    }
  }
  with_multiply_adds<T>(K, visit);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCT_FORMS_CUH
