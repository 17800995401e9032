// cuda/inter_class_similarity/products.cuh: the sums over pixels that the K x K divergences are
// made of.
//
// what      for the pixels x of a part of an image, with u_j = (z_j - shift_j) / temperature:
//             mass_i = sum_x e^{u_i(x) - top_i},  products_ij = sum_x e^{u_i(x) - top_i} u_j(x)
//           shift and top come from the first tile with a valid pixel; where a later logit is too
//           far above top, all sums of the block so far are rescaled (product_tile.cuh).
// mapping   block = part x net x output tile. A warp reads 32 pixels of a class and puts u and e^u
//           into shared memory, while the first logits of the next tile are on their way. There a
//           thread multiplies R rows of e with C rows of u, in registers, over every `slices`-th
//           chunk of V pixels: few classes make many slices, so that they need no padding to 32.
// result    per part: f64 products, mass, top, shift. f32 within kChain pixels, f64 across.
// traffic   4 bytes per f32 logit and output tile (its second read hits the second cache);
//           8 (K + 2) K bytes of sums per part and net (f32).
// shared    at most 48 KB: R-padded rows and C-padded columns of a tile, each a chunk's banks from
//           the next. Lanes have one chunk of neighbouring rows and columns: no bank conflicts but
//           where a warp goes on from the last row or column to the first.
// limits    192 threads and two blocks per multiprocessor: 168 registers.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH

#include "cuda/inter_class_similarity/product_tile.cuh"

namespace structkd::cuda {
namespace {

// Pixels that a thread sums in T before f64 takes over. A sum of 512 rounds to about 5e-7 of itself
// in f32, and to less as soon as several of them are added.
constexpr int kChain = 512;

template <class Element, int R, int C, int V, int Batch>
class ProductBlock {
  using T = Widened<Element>;

 public:
  __device__ __forceinline__ ProductBlock(const ProductTask<Element>& task, T* shared)
      : tile_(task, shared), shape_(task.shape) {}

  __device__ __forceinline__ void run() {
    tile_.clear();
    tile_.clear_shifts();
    clear_sums();
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
        add_mass();
        multiply();
      }
      __syncthreads();  // all have read the tile
      ++t;
    }
    write_masses();
  }

 private:
  __device__ __forceinline__ void clear_sums() {
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) sum_[r][c] = T(0);
    }
  }

  // Shrinks the sums so far, all of them flushed, because the tops of tile t are higher.
  __device__ __forceinline__ void rescale(int t) {
    tile_.raise_tops(t);
    double* products = output();
#pragma unroll 1
    for (int i = int(threadIdx.x); i < tile_.rows * tile_.columns; i += kProductThreads) {
      products[int64_t(i / tile_.columns) * tile_.K + i % tile_.columns] *=
          double(tile_.factor[i / tile_.columns]);
    }
    if (has_mass()) mass_ *= double(tile_.factor[mass_row()]);
    __syncthreads();
  }

  // Threads per row, each for a share of its pixels. Neighbouring lanes have neighbouring rows.
  __device__ __forceinline__ int mass_threads() const { return kProductThreads / tile_.rows; }
  __device__ __forceinline__ int mass_row() const { return int(threadIdx.x) % tile_.rows; }
  __device__ __forceinline__ int mass_share() const { return int(threadIdx.x) / tile_.rows; }
  __device__ __forceinline__ bool has_mass() const { return mass_share() < mass_threads(); }

  __device__ __forceinline__ void add_mass() {
    if (!has_mass()) return;
    const int threads = mass_threads();
    const T* row = tile_.e + mass_row() * shape_.stride;
    T sum = T(0);
#pragma unroll 1
    for (int x = mass_share() * V; x < shape_.pixels; x += threads * V) {
      const Chunk<T, V> e = *reinterpret_cast<const Chunk<T, V>*>(row + x);
#pragma unroll
      for (int v = 0; v < V; ++v) sum += e.at[v];
    }
    mass_ += double(sum);
  }

  // Output rows thread_row() + r * thread_rows, columns likewise. Neighbouring lanes have
  // neighbouring columns and rows, of one slice.
  __device__ __forceinline__ int pairs() const {
    return shape_.thread_rows * shape_.thread_columns;
  }
  __device__ __forceinline__ int pair() const { return int(threadIdx.x) % pairs(); }
  __device__ __forceinline__ int slice() const { return int(threadIdx.x) / pairs(); }
  __device__ __forceinline__ bool multiplies() const { return slice() < shape_.slices; }

  __device__ __forceinline__ void multiply() {
    if (multiplies()) {
      const T* e = tile_.e + pair() / shape_.thread_columns * shape_.stride;
      const T* u = tile_.u + pair() % shape_.thread_columns * shape_.stride;
      const int e_step = shape_.thread_rows * shape_.stride;
      const int u_step = shape_.thread_columns * shape_.stride;
#pragma unroll 1
      for (int x = slice() * V; x < shape_.pixels; x += shape_.slices * V) {
        Chunk<T, V> left[R];
#pragma unroll
        for (int r = 0; r < R; ++r) {
          left[r] = *reinterpret_cast<const Chunk<T, V>*>(e + r * e_step + x);
        }
#pragma unroll
        for (int c = 0; c < C; ++c) {
          const Chunk<T, V> right = *reinterpret_cast<const Chunk<T, V>*>(u + c * u_step + x);
#pragma unroll
          for (int r = 0; r < R; ++r) {
#pragma unroll
            for (int v = 0; v < V; ++v) sum_[r][c] += left[r].at[v] * right.at[v];
          }
        }
      }
    }
    chain_ += int(divide_up(shape_.pixels, shape_.slices));
  }

  __device__ __forceinline__ PartSums<T> sums() const {
    return tile_.is_student ? tile_.task.student_sums : tile_.task.teacher_sums;
  }
  __device__ __forceinline__ double* output() const {
    return sums().products + int64_t(tile_.part) * tile_.K * tile_.K +
           int64_t(tile_.row0) * tile_.K + tile_.column0;
  }
  // Adds the sums in registers, of type T, to those of f64 in memory; the slices meet in the memory
  // of the tile. Begins and ends with a barrier.
  __device__ __forceinline__ void flush() {
    const int stride = kProductThreads + pairs() % kWarp;  // [C][stride]: item i is in bank i
#pragma unroll 1
    for (int r = 0; r < R; ++r) {
      __syncthreads();
#pragma unroll
      for (int c = 0; c < C; ++c) {
        tile_.memory[c * stride + int(threadIdx.x)] = sum_[0][c];
        // The next row moves up, zeros behind the last: registers have no index that is not a
        // constant.
#pragma unroll
        for (int q = 0; q < R; ++q) sum_[q][c] = q + 1 < R ? sum_[q + 1 < R ? q + 1 : q][c] : T(0);
      }
      __syncthreads();
#pragma unroll 1
      for (int i = int(threadIdx.x); i < C * pairs(); i += kProductThreads) {
        const int c = i / pairs(), of = i % pairs();
        const int row = of / shape_.thread_columns + r * shape_.thread_rows;
        const int column = of % shape_.thread_columns + c * shape_.thread_columns;
        if (row >= tile_.rows || column >= tile_.columns) continue;
        const T* from = tile_.memory + c * stride + of;
        double sum = 0.0;
        for (int s = 0; s < shape_.slices; ++s) sum += double(from[s * pairs()]);
        double* product = output() + int64_t(row) * tile_.K + column;
        *product = flushed_ ? *product + sum : sum;
      }
    }
    flushed_ = true;
    chain_ = 0;
    __syncthreads();
    tile_.clear();
    __syncthreads();
  }

  __device__ __forceinline__ void write_masses() {
    STRUCTKD_SHARED(double, mass, [kProductThreads]);
    mass[threadIdx.x] = mass_;
    const int64_t valid = block_sum<kProductThreads>(valid_pixels_);
    __syncthreads();
    if (tile_.column0 == 0) {
      const PartSums<T> to = sums();
#pragma unroll 1
      for (int row = int(threadIdx.x); row < tile_.rows; row += kProductThreads) {
        double sum = 0.0;
        for (int i = 0; i < mass_threads(); ++i) sum += mass[i * tile_.rows + row];
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

  ProductTile<Element, C, Batch> tile_;
  const ProductShape& shape_;
  T sum_[R][C];
  double mass_ = 0.0;
  int64_t valid_pixels_ = 0;
  int chain_ = 0;
  bool flushed_ = false;
};

template <class Element, int R, int C, int V, int Batch>
__global__ __launch_bounds__(kProductThreads,
                             2) void class_products_kernel(const ProductTask<Element> task) {
  STRUCTKD_DYNAMIC_SHARED(Widened<Element>, shared);
  ProductBlock<Element, R, C, V, Batch>(task, shared).run();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_PRODUCTS_CUH
