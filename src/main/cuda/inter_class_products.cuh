// cuda/inter_class_products.cuh: the sums over pixels that the K x K divergences are made of.
//
// what      for the pixels x of a part of an image, with u_j = (z_j - shift_j) / temperature:
//             mass_i = sum_x e^{u_i(x) - top_i},  products_ij = sum_x e^{u_i(x) - top_i} u_j(x)
//           shift_j is the softmax mean of the first tile with a valid pixel, so that u is small
//           where p is large; top_i is the maximum of that tile. Where a later logit is above top
//           by more than kSlack, all sums of the block so far are rescaled: rare, and above 0 an
//           exponential is as exact as below.
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
#ifndef STRUCTKD_CUDA_INTER_CLASS_PRODUCTS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_PRODUCTS_CUH

#include "cuda/inter_class_product_shape.cuh"
#include "cuda/math.cuh"

namespace structkd::cuda {
namespace {

// Pixels that a thread sums in T before f64 takes over. A sum of 512 rounds to about 5e-7 of itself
// in f32, and to less as soon as several of them are added.
constexpr int kChain = 512;

// e^8 = 3000: products of logits up to 1e30 stay finite in f32.
constexpr float kSlack = 8.0f;

template <class Element, int R, int C, int V, int Batch>
class ProductBlock {
  using T = Widened<Element>;

 public:
  __device__ __forceinline__ ProductBlock(const ProductTask<Element>& task, T* shared)
      : task_(task), shape_(task.shape), share_(task.shape.pixels) {
    // 32 bits throughout: a 64-bit division is a call, around which registers are spilled.
    unsigned index = blockIdx.x;
    const int outputs = shape_.row_tiles * shape_.column_tiles;
    const int output = int(index % unsigned(outputs));
    index /= unsigned(outputs);
    is_student_ = index % 2 == 0;
    part_ = int(index / 2);
    b_ = part_ / task.parts;
    K_ = int(task.student.C);
    row0_ = output / shape_.column_tiles * shape_.rows;
    column0_ = output % shape_.column_tiles * shape_.columns;
    rows_ = smaller(shape_.rows, K_ - row0_);
    columns_ = smaller(shape_.columns, K_ - column0_);
    is_square_ = outputs == 1;
    image_ = map().data + b_ * map().stride_b;
    stride_c_ = map().stride_c;

    shared_ = shared;
    e_ = shared;
    u_ = e_ + shape_.row_slots * shape_.stride;
    T* behind = shared + product_tile_numbers(shape_, C);
    row_ = reinterpret_cast<Chunk<T, 2>*>(behind);
    factor_ = behind + 2 * shape_.row_slots;
    column_shift_ = factor_ + shape_.row_slots;
  }

  __device__ __forceinline__ void run() {
    clear();
    const int rounds = int(divide_up(rows_, share_.row_step * Batch));
    const int in_image = part_ % task_.parts, longer = task_.tiles % task_.parts;
    int t = in_image * (task_.tiles / task_.parts) + smaller(in_image, longer);
    end_ = t + task_.tiles / task_.parts + (in_image < longer ? 1 : 0);
    bool started = false;  // a valid pixel has been seen: shift and top are set
    Element raw[Batch];    // the first logits of tile t
    aim(t);
    load_rows(0, raw);
    // One place each to store, multiply and flush: the sums stay in registers throughout.
    while (true) {
      bool above = false;
      const bool valid = valid_;
      if (t < end_) {
        if (!started && __syncthreads_or(valid)) {
          set_shifts(t);
          started = true;
          __syncthreads();
        }
#pragma unroll 1
        for (int round = 0; round < rounds; ++round) {
          above |= store_rows(round, raw, valid);
          // What follows: more of this tile, or the first logits of the next one.
          if (round + 1 == rounds) aim(t + 1);
          load_rows(round + 1 == rounds ? 0 : round + 1, raw);
        }
        if (!is_square_) store_columns(t);
        above = __syncthreads_or(above && started);
      }
      if (t == end_ || above || chain_ > kChain) {
        flush();
        if (t == end_) break;
        if (above) rescale(t);
        aim(t);  // the same tile again: flush() has used its memory
        load_rows(0, raw);
        continue;
      }
      if (started) {
        valid_pixels_ += valid && share_.row == 0;
        add_mass();
        multiply();
      }
      __syncthreads();  // all have read the tile
      ++t;
    }
    write_masses();
  }

 private:
  __device__ __forceinline__ void clear() {
#pragma unroll 1
    for (int i = int(threadIdx.x); i < (shape_.row_slots + shape_.column_slots) * shape_.stride;
         i += kProductThreads) {
      shared_[i] = T(0);
    }
#pragma unroll 1
    for (int i = int(threadIdx.x); i < shape_.row_slots; i += kProductThreads) {
      const Chunk<T, 2> shift_top = {{T(0), i < rows_ ? T(-INFINITY) : T(0)}};
      row_[i] = shift_top;
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
#pragma unroll
      for (int c = 0; c < C; ++c) sum_[r][c] = T(0);
    }
    __syncthreads();
  }

  // Chosen where it is used, it takes no registers in between.
  __device__ __forceinline__ MapOf<Element> map() const {
    return is_student_ ? task_.student : task_.teacher;
  }

  // The pixel of this thread in a tile. The tile of a product has one segment per warp.
  __device__ __forceinline__ int pixel() const {
    return share_.segment * kWarp + int(threadIdx.x) % kWarp;
  }

  // From here on next_ and valid_ are those of tile t.
  __device__ __forceinline__ void aim(int t) {
    const int64_t n = int64_t(t) * shape_.pixels + pixel();
    valid_ = t < end_ && share_.segment < share_.segments &&
             is_valid(task_.mask, b_, n, task_.pixels, task_.student.W);
    next_ = image_ + (row0_ + share_.row) * stride_c_;
    if (valid_) next_ += map().pixel_offset(n);
  }

  __device__ __forceinline__ void load_rows(int round, Element (&raw)[Batch]) {
    const int64_t step = share_.row_step * stride_c_;
    int row = share_.row + round * Batch * share_.row_step;
#pragma unroll
    for (int i = 0; i < Batch; ++i) {
      raw[i] = valid_ && row < rows_ ? *next_ : Element{};
      next_ += step;
      row += share_.row_step;
    }
  }

  // A batch of e^u, and of u where rows and columns are the same classes, to shared memory. True if
  // a logit is too far above top. No branches: an ignored pixel, whose logits were loaded as 0,
  // gets factors 0, and rows that hold no class have slots.
  __device__ __forceinline__ bool store_rows(int round, const Element (&raw)[Batch], bool valid) {
    const T scale = valid ? task_.inverse_temperature : T(0), weight = valid ? T(1) : T(0);
    const int first = share_.row + round * Batch * share_.row_step;
    const Chunk<T, 2>* of_row = row_ + first;
    T* e = e_ + first * shape_.stride + pixel();
    T* u = u_ + first * shape_.stride + pixel();
    bool above = false;
#pragma unroll
    for (int i = 0; i < Batch; ++i) {
      const Chunk<T, 2> shift_top = *of_row;
      const T scaled = (widen(raw[i]) - shift_top.at[0]) * scale;
      const T exponent = scaled - shift_top.at[1];
      above |= exponent > T(kSlack);
      *e = exponential(exponent) * weight;
      if (is_square_) *u = scaled;
      of_row += share_.row_step;
      e += share_.row_step * shape_.stride;
      u += share_.row_step * shape_.stride;
    }
    return above;
  }

  __device__ __forceinline__ void store_columns(int t) {
    if (share_.segment >= share_.segments) return;
    const int64_t n = int64_t(t) * shape_.pixels + pixel();
    const bool valid = is_valid(task_.mask, b_, n, task_.pixels, task_.student.W);
    const Element* from = image_ + column0_ * stride_c_ + (valid ? map().pixel_offset(n) : 0);
#pragma unroll 4
    for (int column = share_.row; column < columns_; column += share_.row_step) {
      const T z = T(widen(from[valid ? column * stride_c_ : 0]));
      u_[column * shape_.stride + pixel()] =
          valid ? (z - column_shift_[column]) * task_.inverse_temperature : T(0);
    }
  }

  // Maximum of a class over the valid pixels of a tile, in every lane.
  __device__ __forceinline__ T tile_maximum(int k, int t) const {
    T most = T(-INFINITY);
#pragma unroll 1
    for (int x = int(threadIdx.x) % kWarp; x < shape_.pixels; x += kWarp) {
      const int64_t n = int64_t(t) * shape_.pixels + x;
      if (!is_valid(task_.mask, b_, n, task_.pixels, task_.student.W)) continue;
      most = larger(most, T(widen(*map().at(b_, k, n))));
    }
    return warp_max(most);
  }

  // The mean of a class under its own softmax over the tile. A constant gives exactly that
  // constant.
  __device__ __forceinline__ T tile_mean(int k, int t, T maximum) const {
    T mass = T(0), moment = T(0);
#pragma unroll 1
    for (int x = int(threadIdx.x) % kWarp; x < shape_.pixels; x += kWarp) {
      const int64_t n = int64_t(t) * shape_.pixels + x;
      if (!is_valid(task_.mask, b_, n, task_.pixels, task_.student.W)) continue;
      const T below = T(widen(*map().at(b_, k, n))) - maximum;
      const T e = exponential(below * task_.inverse_temperature);
      mass += e;
      moment += e * below;
    }
    return maximum + warp_sum(moment) / warp_sum(mass);
  }

  // One warp per class. Begins with marks that all threads see.
  __device__ __forceinline__ void set_shifts(int t) {
    const int classes = rows_ + (is_square_ ? 0 : columns_);
#pragma unroll 1
    for (int i = int(threadIdx.x) / kWarp; i < classes; i += kProductWarps) {
      const int k = i < rows_ ? row0_ + i : column0_ + i - rows_;
      const T maximum = tile_maximum(k, t), mean = tile_mean(k, t, maximum);
      if (threadIdx.x % kWarp != 0) continue;
      if (i < rows_) {
        row_[i].at[0] = mean;
        row_[i].at[1] = (maximum - mean) * task_.inverse_temperature;
      } else {
        column_shift_[i - rows_] = mean;
      }
    }
  }

  // Raises top to the maximum of the tile; sums so far, all of them flushed, shrink accordingly.
  __device__ __forceinline__ void rescale(int t) {
#pragma unroll 1
    for (int row = int(threadIdx.x) / kWarp; row < rows_; row += kProductWarps) {
      const T maximum = tile_maximum(row0_ + row, t);
      const T u = (maximum - row_[row].at[0]) * task_.inverse_temperature;
      __syncwarp(kFullWarp);  // all lanes have read top
      if (threadIdx.x % kWarp == 0) {
        const T top = larger(row_[row].at[1], u);
        factor_[row] = exponential(row_[row].at[1] - top);
        row_[row].at[1] = top;
      }
    }
    __syncthreads();
    double* products = output();
#pragma unroll 1
    for (int i = int(threadIdx.x); i < rows_ * columns_; i += kProductThreads) {
      products[int64_t(i / columns_) * K_ + i % columns_] *= double(factor_[i / columns_]);
    }
    if (has_mass()) mass_ *= double(factor_[mass_row()]);
    __syncthreads();
  }

  // Threads per row, each for a share of its pixels. Neighbouring lanes have neighbouring rows.
  __device__ __forceinline__ int mass_threads() const { return kProductThreads / rows_; }
  __device__ __forceinline__ int mass_row() const { return int(threadIdx.x) % rows_; }
  __device__ __forceinline__ int mass_share() const { return int(threadIdx.x) / rows_; }
  __device__ __forceinline__ bool has_mass() const { return mass_share() < mass_threads(); }

  __device__ __forceinline__ void add_mass() {
    if (!has_mass()) return;
    const int threads = mass_threads();
    const T* row = e_ + mass_row() * shape_.stride;
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
      const T* e = e_ + pair() / shape_.thread_columns * shape_.stride;
      const T* u = u_ + pair() % shape_.thread_columns * shape_.stride;
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
    return is_student_ ? task_.student_sums : task_.teacher_sums;
  }
  __device__ __forceinline__ double* output() const {
    return sums().products + int64_t(part_) * K_ * K_ + int64_t(row0_) * K_ + column0_;
  }
  // From T in registers to f64 in memory, through the memory of the tile. Begins and ends with a
  // barrier.
  __device__ __forceinline__ void flush() {
    const int stride = kProductThreads + pairs() % kWarp;  // [C][stride]: item i is in bank i
#pragma unroll 1
    for (int r = 0; r < R; ++r) {
      __syncthreads();
#pragma unroll
      for (int c = 0; c < C; ++c) {
        shared_[c * stride + int(threadIdx.x)] = sum_[0][c];
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
        if (row >= rows_ || column >= columns_) continue;
        const T* from = shared_ + c * stride + of;
        double sum = 0.0;
        for (int s = 0; s < shape_.slices; ++s) sum += double(from[s * pairs()]);
        double* product = output() + int64_t(row) * K_ + column;
        *product = flushed_ ? *product + sum : sum;
      }
    }
    flushed_ = true;
    chain_ = 0;
    __syncthreads();
    // Rows that hold no class take part in products whose results are left out: anything finite.
#pragma unroll 1
    for (int i = int(threadIdx.x); i < (shape_.row_slots + shape_.column_slots) * shape_.stride;
         i += kProductThreads) {
      shared_[i] = T(0);
    }
    __syncthreads();
  }

  __device__ __forceinline__ void write_masses() {
    STRUCTKD_SHARED(double, mass, [kProductThreads]);
    mass[threadIdx.x] = mass_;
    const int64_t valid = block_sum<kProductThreads>(valid_pixels_);
    __syncthreads();
    if (column0_ == 0) {
      const PartSums<T> to = sums();
#pragma unroll 1
      for (int row = int(threadIdx.x); row < rows_; row += kProductThreads) {
        double sum = 0.0;
        for (int i = 0; i < mass_threads(); ++i) sum += mass[i * rows_ + row];
        const int64_t at = int64_t(part_) * K_ + row0_ + row;
        to.mass[at] = sum;
        const Chunk<T, 2> shift_top = row_[row];
        to.top[at] = shift_top.at[1];
        to.shift[at] = shift_top.at[0];
      }
    }
    if (column0_ == 0 && row0_ == 0 && is_student_ && threadIdx.x == 0) {
      task_.valid_pixels[part_] = valid;
    }
  }

  const ProductTask<Element>& task_;
  const ProductShape& shape_;
  T* shared_;
  T *e_, *u_;         // [slots, stride]
  Chunk<T, 2>* row_;  // [row_slots] shift and top
  T* factor_;         // [row_slots]
  T* column_shift_;   // [column_slots]
  const TileShare<kProductWarps> share_;
  const Element* image_;
  const Element* next_;  // logit to load: of the thread's pixel in the tile ahead
  bool valid_ = false;   // that pixel counts
  int64_t stride_c_;
  int b_, part_, end_;  // image, part of all images, tile behind the part
  int K_, row0_, column0_, rows_, columns_;
  bool is_student_, is_square_;
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

#endif  // STRUCTKD_CUDA_INTER_CLASS_PRODUCTS_CUH
