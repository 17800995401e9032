// cuda/inter_class_similarity/warp_products.cuh: the sums of products.cuh for up to 24 classes of
// f32 or 16-bit logits, on tensor cores.
//
// what      mass_i, products_ij, top and shift of a part of an image, as in products.cuh
// mapping   block = part x net. Each warp goes alone through every sixth group of 16 pixels of the
//           part, without barriers: lane 4 g + t has pixels 4 t to 4 t + 3 of class g of each block
//           of 8 classes. So it holds just the pieces of e (rows: classes) and u (columns: classes)
//           that the tensor cores take from it, and nothing goes through shared memory. The logits
//           of its next group are on their way meanwhile. Each warp has tops of its own, which it
//           raises with its sums where a logit is too far above.
// result    per part: f64 products, mass, top, shift. The warps meet after kChain groups, at the
//           latest, and add up in f64.
// traffic   4 bytes per f32 logit, 16 at a time in maps of planes whose rows allow it;
//           8 (K + 2) K bytes of sums per part and net (f32).
// shared    25 KB (24 classes): the sums of all warps where they meet. No bank conflicts.
// limits    192 threads and two blocks per multiprocessor: 168 registers.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_PRODUCTS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_PRODUCTS_CUH

#include "cuda/common/split_tf32.cuh"
#include "cuda/inter_class_similarity/lane_pixels.cuh"
#include "cuda/inter_class_similarity/shift.cuh"

namespace structkd::cuda {
namespace {

constexpr int kWarpProductThreads = 192, kWarpProductWarps = kWarpProductThreads / kWarp;
constexpr int kLanePixels = 4;                                     // of a lane in a group
constexpr int kGroupPixels = 4 * kLanePixels;                      // of a warp at a time
constexpr int kWarpTilePixels = kWarpProductWarps * kGroupPixels;  // of a block
// f32 additions to a sum before f64 takes over, as many as in products.cuh.
constexpr int kChainGroups = kChain / 2;

template <class Element, int Blocks>
class WarpProducts {
  static constexpr int kRows = (Blocks + 1) / 2;           // tiles of 16 classes
  static constexpr int kClasses = Blocks * kBlockClasses;  // with padding
  static constexpr int kTiles = kRows * Blocks;
  using Raw = Chunk<Element, kLanePixels>;

 public:
  __device__ __forceinline__ WarpProducts(const ProductTask<Element>& task, bool chunks)
      : task_(task), chunks_(chunks), is_student_(blockIdx.x % 2 == 0), b_(part() / task.parts) {
    const int in_image = part() % task.parts, longer = task.tiles % task.parts;
    begin_ = in_image * (task.tiles / task.parts) + smaller(in_image, longer);
    end_ = begin_ + task.tiles / task.parts + (in_image < longer ? 1 : 0);
#pragma unroll
    for (int c = 0; c < Blocks; ++c) top_[c] = -INFINITY;
    clear();
  }

  __device__ __forceinline__ void run() {
    STRUCTKD_SHARED(float, shifts, [kClasses]);
    STRUCTKD_SHARED(double, block_mass, [kClasses]);
    STRUCTKD_SHARED(float, block_top, [kClasses]);
    shifts_ = shifts;
    block_mass_ = block_mass;
    block_top_ = block_top;
    if (int(threadIdx.x) < kClasses) {
      shifts[threadIdx.x] = 0.0f;
      block_mass[threadIdx.x] = 0.0;
      block_top[threadIdx.x] = -INFINITY;
    }
    int tile = first_with_a_pixel();
    Raw raw[Blocks] = {};
    if (tile < end_) {
      set_shifts(tile);
      load(tile, raw);
    }
    do {
      const int stop = smaller(end_, tile + kChainGroups);
#pragma unroll 1
      for (; tile < stop; ++tile) step(tile, raw);
      meet();
    } while (tile < end_);
    write();
  }

 private:
  __device__ __forceinline__ const MapOf<Element>& map() const {
    return is_student_ ? task_.student : task_.teacher;
  }
  // Read anew where they are used, they take no registers in between.
  __device__ __forceinline__ static int part() { return int(blockIdx.x / 2); }
  __device__ __forceinline__ int K() const { return int(task_.student.C); }
  __device__ __forceinline__ static int lane() { return int(threadIdx.x) % kWarp; }
  __device__ __forceinline__ static int warp() { return int(threadIdx.x) / kWarp; }
  // Classes of a lane; where there are none, the last one once more.
  __device__ __forceinline__ int class_of(int block) const {
    return smaller(block * kBlockClasses + lane() / 4, K() - 1);
  }
  __device__ __forceinline__ int64_t first_pixel(int tile) const {
    return int64_t(tile) * kWarpTilePixels + warp() * kGroupPixels;
  }

  // The first tile with a valid pixel, or end_.
  __device__ __forceinline__ int first_with_a_pixel() const {
    int tile = begin_;
#pragma unroll 1
    for (; tile < end_; ++tile) {
      const int64_t n = int64_t(tile) * kWarpTilePixels + threadIdx.x;
      if (__syncthreads_or(int(threadIdx.x) < kWarpTilePixels &&
                           is_valid(task_.mask, b_, n, task_.pixels, task_.student.W))) {
        break;
      }
    }
    return tile;
  }

  __device__ __forceinline__ void set_shifts(int tile) const {
    const PixelRange<Element> range = {
        map(), task_.mask, b_, int64_t(tile) * kWarpTilePixels, task_.pixels, kWarpTilePixels};
#pragma unroll 1
    for (int k = warp(); k < K(); k += kWarpProductWarps) {
      const float shift = range.mean(k, range.maximum(k), task_.inverse_temperature);
      if (lane() == 0) shifts_[k] = shift;
    }
    __syncthreads();
  }

  // Loads the logits of the warp's group in a tile.
  __device__ __forceinline__ void load(int tile, Raw (&raw)[Blocks]) {
    const int64_t first = first_pixel(tile), n = first + lane() % 4 * kLanePixels;
    const int64_t N = tile < end_ ? task_.pixels : 0;
    counts_ = lane() < kGroupPixels && is_valid(task_.mask, b_, first + lane(), N, task_.student.W);
    const Element* image = map().data + b_ * map().stride_b;
#pragma unroll
    for (int c = 0; c + 1 < Blocks; ++c) {
      raw[c] = load_pixels<kLanePixels>(map(), image + class_of(c) * map().stride_c, n, N, chunks_);
    }
    raw[Blocks - 1] = load_pixels<kLanePixels>(map(), image + class_of(Blocks - 1) * map().stride_c,
                                               n, N, chunks_);
  }

  // A group of 16 pixels; `raw` has its logits, and then those of the next tile.
  __device__ __forceinline__ void step(int tile, Raw (&raw)[Blocks]) {
    const unsigned valid = __ballot_sync(kFullWarp, counts_);
    valid_pixels_ += __popc(valid);
    const unsigned mine = valid >> lane() % 4 * kLanePixels;
    float u[Blocks][kLanePixels], most = -INFINITY;
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      const float shift = shifts_[class_of(c)];
#pragma unroll
      for (int i = 0; i < kLanePixels; ++i) {
        // A choice and no product: what an ignored pixel holds must not matter.
        u[c][i] =
            (mine >> i & 1) != 0 ? (widen(raw[c].at[i]) - shift) * task_.inverse_temperature : 0.0f;
        if ((mine >> i & 1) != 0) most = larger(most, u[c][i] - top_[c]);
      }
    }
    load(tile + 1, raw);
    if (__any_sync(kFullWarp, most > kSlack)) raise_tops(mine, u);
    multiply(mine, u);
  }

  // Rare: sums so far shrink by as much as the tops rise.
  __device__ __forceinline__ void raise_tops(unsigned mine, const float (&u)[Blocks][kLanePixels]) {
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      float top = top_[c];
#pragma unroll
      for (int i = 0; i < kLanePixels; ++i) {
        if ((mine >> i & 1) != 0) top = larger(top, u[c][i]);
      }
      top = larger(top, __shfl_xor_sync(kFullWarp, top, 1));
      top = larger(top, __shfl_xor_sync(kFullWarp, top, 2));
      const float factor = exponential(top_[c] - top);
      top_[c] = top;
      mass_[c] *= factor;
#pragma unroll
      for (int column = 0; column < Blocks; ++column) {
        sum_[c / 2 * Blocks + column][c % 2 * 2] *= factor;
        sum_[c / 2 * Blocks + column][c % 2 * 2 + 1] *= factor;
      }
    }
  }

  // Pixels 0 and 1 of a lane are one step of the tensor cores, 2 and 3 the next: the order of
  // pixels does not matter to a sum over them.
  __device__ __forceinline__ void multiply(unsigned mine, const float (&u)[Blocks][kLanePixels]) {
    float e[2 * kRows][kLanePixels] = {};
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
#pragma unroll
      for (int i = 0; i < kLanePixels; ++i) {
        e[c][i] = (mine >> i & 1) != 0 ? exponential(u[c][i] - top_[c]) : 0.0f;
      }
      mass_[c] += (e[c][0] + e[c][1]) + (e[c][2] + e[c][3]);
    }
#pragma unroll
    for (int i = 0; i < kLanePixels; i += 2) {
      SplitFragment<2> right[Blocks];
#pragma unroll
      for (int c = 0; c < Blocks; ++c) {
        right[c].set(0, u[c][i]);
        right[c].set(1, u[c][i + 1]);
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        SplitFragment<4> left;
        left.set(0, e[2 * r][i]);
        left.set(1, e[2 * r + 1][i]);
        left.set(2, e[2 * r][i + 1]);
        left.set(3, e[2 * r + 1][i + 1]);
#pragma unroll
        for (int c = 0; c < Blocks; ++c) add_split_product(sum_[r * Blocks + c], left, right[c]);
      }
    }
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int c = 0; c < Blocks; ++c) mass_[c] = 0.0f;
#pragma unroll
    for (int s = 0; s < kTiles; ++s) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum_[s][i] = 0.0f;
    }
  }

  __device__ __forceinline__ PartSums<float> sums() const {
    return is_student_ ? task_.student_sums : task_.teacher_sums;
  }

  // Adds the sums of all warps, in order, to those of f64 in memory.
  __device__ __forceinline__ void meet() {
    STRUCTKD_SHARED(float, tops, [kWarpProductWarps][kClasses]);
    STRUCTKD_SHARED(float, masses, [kWarpProductWarps][kClasses]);
    // Of rows of padding they are never written, nor is what is made of them. The last: of sums
    // before.
    STRUCTKD_SHARED(double, factors, [kWarpProductWarps + 1][16 * kRows]);
    STRUCTKD_SHARED(float, products, [kWarpProductWarps][kTiles][4][kWarp]);
#pragma unroll
    for (int c = 0; c < Blocks; ++c) {
      float mass = mass_[c] + __shfl_xor_sync(kFullWarp, mass_[c], 1);
      mass += __shfl_xor_sync(kFullWarp, mass, 2);
      if (lane() % 4 != 0) continue;
      tops[warp()][c * kBlockClasses + lane() / 4] = top_[c];
      masses[warp()][c * kBlockClasses + lane() / 4] = mass;
    }
#pragma unroll
    for (int s = 0; s < kTiles; ++s) {
#pragma unroll
      for (int i = 0; i < 4; ++i) products[warp()][s][i][lane()] = sum_[s][i];
    }
    clear();
    __syncthreads();
    if (int(threadIdx.x) < kClasses) merge_masses(tops, masses, factors);
    __syncthreads();
#pragma unroll 1
    for (int at = int(threadIdx.x); at < kTiles * 4 * kWarp; at += kWarpProductThreads) {
      const int s = at / (4 * kWarp), i = at / kWarp % 4, from = at % kWarp;
      const int row = s / Blocks * 16 + i / 2 * 8 + from / 4;
      const int column = s % Blocks * 8 + from % 4 * 2 + i % 2;
      double sum = 0.0;
#pragma unroll
      for (int w = 0; w < kWarpProductWarps; ++w) {
        sum += factors[w][row] * double(products[w][s][i][from]);
      }
      const double before = factors[kWarpProductWarps][row];
      if (row >= K() || column >= K()) continue;
      double* product = sums().products + (int64_t(part()) * K() + row) * K() + column;
      *product = met_ ? *product * before + sum : sum;
    }
    met_ = true;
    __syncthreads();
  }

  // The thread of a class: its top over all warps, what each warp's sums are multiplied by, its
  // mass.
  __device__ __forceinline__ void merge_masses(const float (*tops)[kClasses],
                                               const float (*masses)[kClasses],
                                               double (*factors)[16 * kRows]) {
    const int k = int(threadIdx.x);
    const float before = block_top_[k];
    float top = before;
    for (int w = 0; w < kWarpProductWarps; ++w) top = larger(top, tops[w][k]);
    // Sums of warps that have seen no pixel are 0.
    const auto factor_of = [&](float of) {
      return of == -INFINITY ? 0.0 : exp(double(of) - double(top));
    };
    factors[kWarpProductWarps][k] = factor_of(before);
    double mass = block_mass_[k] * factor_of(before);
    for (int w = 0; w < kWarpProductWarps; ++w) {
      const double factor = factor_of(tops[w][k]);
      factors[w][k] = factor;
      mass += factor * double(masses[w][k]);
    }
    block_mass_[k] = mass;
    block_top_[k] = top;
  }

  __device__ __forceinline__ void write() const {
    const int k = int(threadIdx.x);
    if (k < K()) {
      const int64_t at = int64_t(part()) * K() + k;
      sums().mass[at] = block_mass_[k];
      sums().top[at] = block_top_[k];
      sums().shift[at] = shifts_[k];
    }
    const int64_t valid = block_sum<kWarpProductThreads>(int64_t(lane() == 0 ? valid_pixels_ : 0));
    if (is_student_ && k == 0) task_.valid_pixels[part()] = valid;
  }

  const ProductTask<Element>& task_;
  const bool chunks_, is_student_;
  const int b_;
  int begin_, end_;     // tiles of the part
  float* shifts_;       // [kClasses] in shared memory
  double* block_mass_;  // [kClasses], over all warps so far
  float* block_top_;    // [kClasses]
  float top_[Blocks], mass_[Blocks];
  float sum_[kTiles][4];
  bool counts_ = false;  // pixel `lane()` of the group ahead is valid
  int valid_pixels_ = 0;
  bool met_ = false;
};

template <class Element, int Blocks>
__global__ __launch_bounds__(kWarpProductThreads,
                             2) void class_products_by_warp_kernel(const ProductTask<Element> task,
                                                                   bool chunks) {
  WarpProducts<Element, Blocks>(task, chunks).run();
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_WARP_PRODUCTS_CUH
