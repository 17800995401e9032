// cuda/inter_class_similarity/products.cuh: the sums over pixels that the K x K divergences are
// made of.
//
// what      for the pixels x of a part of an image, with u_j = (z_j - shift_j) / temperature:
//             mass_i = sum_x e^{u_i(x) - top_i},  products_ij = sum_x e^{u_i(x) - top_i} u_j(x)
//           shift and top come from the first tile with a valid pixel; where a later logit is too
//           far above top, all sums of the block so far are rescaled (product_tile.cuh).
// mapping   block = part x net x output tile. A warp reads 32 pixels of a class and puts u and e^u
//           into shared memory, while the first logits of the next tile are on their way. There
//           they are multiplied, by multiply-adds or on tensor cores (multiply_add_sums.cuh,
//           tensor_sums.cuh).
// result    per part: f64 products, mass, top, shift. f32 within kChain additions, f64 across.
// traffic   4 bytes per f32 logit and output tile (its second read hits the second cache);
//           8 (K + 2) K bytes of sums per part and net (f32).
// shared    at most 48 KB, or 80 KB for tensor cores: padded rows and columns of a tile, each some
//           banks from the next.
// limits    two blocks per multiprocessor: 192 threads with 168 registers, or 160 with as many.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH

#include "cuda/inter_class_similarity/product_tile.cuh"

namespace structkd::cuda {
namespace {

template <class Element, class Sums, int Batch>
class ProductBlock {
  using T = Widened<Element>;
  static constexpr int kThreads = Sums::kThreads;

 public:
  __device__ __forceinline__ ProductBlock(const ProductTask<Element>& task, T* shared)
      : tile_(task, shared), added_(task.shape) {}

  __device__ __forceinline__ void run() {
    tile_.clear();
    tile_.clear_shifts();
    __syncthreads();
    const int rounds = tile_.rounds();
    int t = tile_.begin;
    bool started = false;  // a valid pixel has been seen: shift and top are set
    Element raw[Batch];    // the first logits of tile t
    tile_.aim(t);
    tile_.load_rows(0, raw);
    // One place each to store, multiply and flush: the sums stay in registers throughout.
    while (true) {
      bool above = false;
      const bool valid = tile_.valid;
      if (t < tile_.end) {
        if (!started && __syncthreads_or(valid)) {
          tile_.set_shifts(t);
          started = true;
          __syncthreads();
        }
#pragma unroll 1
        for (int round = 0; round < rounds; ++round) {
          above |= tile_.store_rows(round, raw, valid);
          // Loads what follows: more of this tile, or the first logits of the next one.
          if (round + 1 == rounds) tile_.aim(t + 1);
          tile_.load_rows(round + 1 == rounds ? 0 : round + 1, raw);
        }
        if (!tile_.is_square) tile_.store_columns(t);
        above = __syncthreads_or(above && started);
      }
      if (t == tile_.end || above || chain_ > kChain) {
        flush();
        if (t == tile_.end) break;
        if (above) rescale(t);
        tile_.aim(t);  // the same tile again: flush() has used its memory
        tile_.load_rows(0, raw);
        continue;
      }
      if (started) {
        valid_pixels_ += valid && tile_.share.row == 0;
        added_.add_mass(tile_.e, tile_.rows, mass_);
        chain_ += added_.add(tile_.e, tile_.u);
      }
      __syncthreads();  // all have read the tile
      ++t;
    }
    write_masses();
  }

 private:
  // Shrinks the sums so far, all of them flushed, because the tops of tile t are higher.
  __device__ __forceinline__ void rescale(int t) {
    tile_.raise_tops(t);
    double* products = output();
#pragma unroll 1
    for (int i = int(threadIdx.x); i < tile_.rows * tile_.columns; i += kThreads) {
      products[int64_t(i / tile_.columns) * tile_.K + i % tile_.columns] *=
          double(tile_.factor[i / tile_.columns]);
    }
    mass_ *= double(tile_.factor[int(threadIdx.x) % tile_.rows]);
    __syncthreads();
  }

  __device__ __forceinline__ PartSums<T> sums() const {
    return tile_.is_student ? tile_.task.student_sums : tile_.task.teacher_sums;
  }
  __device__ __forceinline__ double* output() const {
    return sums().products + int64_t(tile_.part) * tile_.K * tile_.K +
           int64_t(tile_.row0) * tile_.K + tile_.column0;
  }
  // Adds the sums in registers, of type T, to those of f64 in memory. Begins and ends with a
  // barrier.
  __device__ __forceinline__ void flush() {
    added_.take(tile_.memory, tile_.rows, mass_, [&](int row, int column, double sum) {
      if (row >= tile_.rows || column >= tile_.columns) return;
      double* product = output() + int64_t(row) * tile_.K + column;
      *product = flushed_ ? *product + sum : sum;
    });
    flushed_ = true;
    chain_ = 0;
    __syncthreads();
    tile_.clear();
    __syncthreads();
  }

  __device__ __forceinline__ void write_masses() {
    STRUCTKD_SHARED(double, mass, [kThreads]);
    mass[threadIdx.x] = mass_;
    const int64_t valid = block_sum<kThreads>(int64_t(valid_pixels_));
    __syncthreads();
    if (tile_.column0 == 0) {
      const PartSums<T> to = sums();
#pragma unroll 1
      for (int row = int(threadIdx.x); row < tile_.rows; row += kThreads) {
        double sum = 0.0;
        for (int i = 0; i < Sums::mass_threads(tile_.rows); ++i) sum += mass[i * tile_.rows + row];
        const int64_t at = int64_t(tile_.part) * tile_.K + tile_.row0 + row;
        to.mass[at] = sum;
        const Chunk<T, 2> shift_top = tile_.row[row];
        to.top[at] = shift_top.at[1];
        to.shift[at] = shift_top.at[0];
      }
    }
    if (tile_.column0 == 0 && tile_.row0 == 0 && tile_.is_student && threadIdx.x == 0) {
      tile_.task.valid_pixels[tile_.part] = valid;
    }
  }

  ProductTile<Element, kThreads, Batch> tile_;
  Sums added_;
  double mass_ = 0.0;
  int valid_pixels_ = 0;
  int chain_ = 0;
  bool flushed_ = false;
};

template <class Element, class Sums, int Batch>
__global__ __launch_bounds__(Sums::kThreads,
                             2) void class_products_kernel(const ProductTask<Element> task) {
  STRUCTKD_DYNAMIC_SHARED(Widened<Element>, shared);
  ProductBlock<Element, Sums, Batch>(task, shared).run();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH
