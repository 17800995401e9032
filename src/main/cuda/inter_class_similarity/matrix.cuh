// cuda/inter_class_similarity/matrix.cuh: from the sums of the parts of an image to its
// divergences, their part of the loss, and what the gradient needs. All of it is f64 and O(K^2): no
// pixel is read.
//
//   M_ij = D_ij - lse_i + lse_j,   D_ij = (A_ii - A_ij) / mass_i
//   A    = products, merged over the parts
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MATRIX_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MATRIX_CUH

#include "core/inter_class_similarity_args.h"
#include "cuda/inter_class_similarity/lane_pixels.cuh"
#include "cuda/inter_class_similarity/products.cuh"

namespace structkd::cuda {
namespace {

constexpr int kMatrixThreads = 256;

// The gradient of the student's logits is made of these factors, per image:
//   dz_k = p_k (sum_j slope_jk u_j + constant_k) - sum_j inflow_jk p_j
//   p    = e^{u - top} inverse_mass
// For multiply-adds the factors of one j lie together, `group` classes k and a gap, so that each
// group starts at 16 bytes. For tensor cores they lie in blocks of 8 x 8, in the order in which a
// warp takes them: blocks of k within blocks of j, in these rows of k. Rows and columns without a
// class are there, too: zeros where the class j is missing, anything where k is.
template <class T>
struct GradFactors {
  T* slope;         // [B, size of an image]
  T* inflow;        // [B, size of an image]
  T* constant;      // [B, K]
  T* top;           // [B, K]
  T* inverse_mass;  // [B, K]
  T* shift;         // [B, K]
  int group, padded_group, stride;
  int blocks;  // of 8 classes; 0: for multiply-adds

  // Of f64 there are none, which spares its kernels the registers.
  __host__ __device__ bool in_blocks() const { return sizeof(T) == 4 && blocks > 0; }
  __host__ __device__ int64_t size(int64_t K) const {
    return in_blocks() ? int64_t(blocks) * blocks * kBlockClasses * kBlockClasses : K * stride;
  }
  __device__ __forceinline__ int64_t at(int64_t b, int64_t K, int64_t j, int64_t k) const {
    if (!in_blocks()) return (b * K + j) * stride + k / group * padded_group + k % group;
    const int64_t block = j / kBlockClasses * blocks + k / kBlockClasses;
    return b * size(K) + (block * kBlockClasses + k % kBlockClasses) * kBlockClasses +
           j % kBlockClasses;
  }
};

template <class T>
struct MatrixTask {
  int64_t images, K, parts;
  double inverse_temperature;
  bool row_normalize;
  PartSums<T> student, teacher;
  const int64_t* valid_pixels;  // [B, parts]
  double* student_rows;         // [B, K, K] M
  double* teacher_rows;         // [B, K, K] M
  double* G;                    // [B, K, K] d loss / d M, 0 on the diagonal
  double* constants;            // [B, K] without the sums over columns of G
  double* row_losses;           // [B, K]
  GradFactors<T> grad;          // or nullptrs
};

// Merges the sums of one class over the parts of an image, in units of u with one shift for the
// image.
template <class T>
struct MergedClass {
  T shift;
  double top, mass, lse;
};

template <class T>
struct MergedNet {
  const PartSums<T>& sums;
  const int64_t* valid_pixels;
  int64_t K, begin, end;  // parts of the image, of all
  int64_t first;          // the first part with a valid pixel
  double inverse_temperature;

  __device__ __forceinline__ MergedNet(const MatrixTask<T>& task, const PartSums<T>& net, int64_t b)
      : sums(net),
        valid_pixels(task.valid_pixels),
        K(task.K),
        begin(b * task.parts),
        end(begin + task.parts),
        first(begin),
        inverse_temperature(task.inverse_temperature) {
    while (first + 1 < end && valid_pixels[first] == 0) ++first;
  }

  // How far u of a part lies above that of the image. Exactly 0 in an image of one part.
  __device__ __forceinline__ double offset(int64_t part, int64_t k) const {
    return (double(sums.shift[part * K + k]) - double(sums.shift[first * K + k])) *
           inverse_temperature;
  }
  __device__ __forceinline__ double top(int64_t part, int64_t k) const {
    return double(sums.top[part * K + k]) + offset(part, k);
  }
  // The factor with which the sums of a part enter those of the image.
  __device__ __forceinline__ double factor(int64_t part, int64_t k, double image_top) const {
    return valid_pixels[part] == 0 ? 0.0 : exp(top(part, k) - image_top);
  }

  __device__ __forceinline__ MergedClass<T> merged(int64_t k) const {
    MergedClass<T> result = {sums.shift[first * K + k], -INFINITY, 0.0, 0.0};
    for (int64_t p = first; p < end; ++p) {
      if (valid_pixels[p] != 0) result.top = larger(result.top, top(p, k));
    }
    for (int64_t p = first; p < end; ++p) {
      result.mass += factor(p, k, result.top) * sums.mass[p * K + k];
    }
    result.lse = result.top + log(result.mass);
    return result;
  }

  // The merged A_ij; `factors` are those of class i, one per part.
  __device__ __forceinline__ double product(int64_t i, int64_t j, const double* factors) const {
    double sum = 0.0;
    for (int64_t p = first; p < end; ++p) {
      if (valid_pixels[p] == 0) continue;
      sum += factors[p - begin] *
             (sums.products[(p * K + i) * K + j] + sums.mass[p * K + i] * offset(p, j));
    }
    return sum;
  }
};

template <class T>
__device__ __forceinline__ bool is_empty(const MatrixTask<T>& task, int64_t b) {
  for (int64_t p = b * task.parts; p < (b + 1) * task.parts; ++p) {
    if (task.valid_pixels[p] != 0) return false;
  }
  return true;
}

// The sum over the block, as block_sum gives it, but in every thread.
template <class T>
__device__ __forceinline__ T sum_for_all(T value) {
  STRUCTKD_SHARED(T, total, [1]);
  value = block_sum<kMatrixThreads>(value);
  if (threadIdx.x == 0) total[0] = value;
  __syncthreads();
  return total[0];
}

// Writes row i of M of one net into `row` and that of D into `centred`; returns class i. A thread
// owns columns, here and below.
template <class T>
__device__ __forceinline__ MergedClass<T> write_row(
    const MergedNet<T>& net, int64_t i, double* factors, double* row, double* centred) {
  const MergedClass<T> mine = net.merged(i);
  __syncthreads();  // factors of the other net have been used
  for (int64_t p = net.begin + threadIdx.x; p < net.end; p += kMatrixThreads) {
    factors[p - net.begin] = net.factor(p, i, mine.top);
  }
  __syncthreads();
  const double diagonal = net.product(i, i, factors);
  for (int64_t j = threadIdx.x; j < net.K; j += kMatrixThreads) {
    const double D = (diagonal - net.product(i, j, factors)) / mine.mass;
    centred[j] = D;
    row[j] = D - mine.lse + net.merged(j).lse;
  }
  return mine;
}

// Scales a row to length 1; returns the scale. A row no longer than kRowEps is divided by that.
__device__ __forceinline__ double scale_to_unit(double* row, int64_t K, bool* zero) {
  double squares = 0.0;
  for (int64_t j = threadIdx.x; j < K; j += kMatrixThreads) squares += row[j] * row[j];
  const double length = sqrt(sum_for_all(squares));
  *zero = length <= kRowEps;
  const double scale = 1.0 / (*zero ? kRowEps : length);
  for (int64_t j = threadIdx.x; j < K; j += kMatrixThreads) row[j] *= scale;
  return scale;
}

// A block makes row i of an image: M of both nets, the row's part of the loss, and row i of G. It
// reads the sums of all parts and, once more, the row of M and G, 24 K^2 bytes per image; it writes
// these and 8 K^2 (f32) of factors.
// Two blocks share a multiprocessor; left to itself nvcc 13.1 wants three on sm_100, and spills.
template <class T>
__global__ __launch_bounds__(kMatrixThreads,
                             2) void divergence_rows_kernel(const MatrixTask<T> task) {
  STRUCTKD_DYNAMIC_SHARED(double, factors);  // [parts]
  const int64_t K = task.K, b = int64_t(blockIdx.x) / K, i = int64_t(blockIdx.x) % K;
  int64_t some = 0;
  for (int64_t image = threadIdx.x; image < task.images; image += kMatrixThreads) {
    some += !is_empty(task, image);
  }
  const double images = double(sum_for_all(some));
  if (is_empty(task, b)) {
    if (threadIdx.x == 0) task.row_losses[b * K + i] = 0.0;
    return;
  }

  double* s = task.student_rows + (b * K + i) * K;
  double* t = task.teacher_rows + (b * K + i) * K;
  double* G = task.G + (b * K + i) * K;  // D of the student first
  MergedClass<T> mine;
  // Both nets go through one loop and so take the same instructions: equal logits must give equal
  // matrices.
#pragma unroll 1
  for (int net = 0; net < 2; ++net) {
    const PartSums<T> sums = net == 0 ? task.teacher : task.student;
    mine = write_row(MergedNet<T>(task, sums, b), i, factors, net == 0 ? t : s, G);
  }

  double s_scale = 1.0;
  bool zero = false;
  if (task.row_normalize) {
    bool teacher_zero;
    scale_to_unit(t, K, &teacher_zero);
    s_scale = scale_to_unit(s, K, &zero);
  }
  double squares = 0.0, along = 0.0;
  for (int64_t j = threadIdx.x; j < K; j += kMatrixThreads) {
    const double gap = s[j] - t[j];
    squares += gap * gap;
    along += s[j] * gap;
  }
  squares = sum_for_all(squares);
  along = sum_for_all(along);
  const double scale = 1.0 / (double(K) * double(K) * images);
  if (threadIdx.x == 0) task.row_losses[b * K + i] = squares * scale;
  if (task.grad.slope == nullptr) return;

  // A zero row is one of equal distributions, whose divergences have no slope.
  const double g_scale = zero ? 0.0 : 2.0 * scale * s_scale;
  double row_sum = 0.0, constant = 0.0;
  for (int64_t j = threadIdx.x; j < K; j += kMatrixThreads) {
    const double gap = s[j] - t[j];
    const double g = j == i ? 0.0 : g_scale * (task.row_normalize ? gap - along * s[j] : gap);
    row_sum += g;
    constant -= g * G[j];  // lse_j - lse_i - M_ij = -D_ij
    G[j] = g;
    const double factor = g * task.inverse_temperature;
    task.grad.inflow[task.grad.at(b, K, i, j)] = T(factor);
    if (j != i) task.grad.slope[task.grad.at(b, K, j, i)] = T(-factor);
  }
  if (task.grad.in_blocks()) {
    // Zeros where the class j is missing: the blocks of an image share these rows.
    const int64_t padded = task.grad.blocks * kBlockClasses;
    for (int64_t j = K + i; j < padded; j += K) {
      for (int64_t k = threadIdx.x; k < padded; k += kMatrixThreads) {
        task.grad.slope[task.grad.at(b, K, j, k)] = T(0);
        task.grad.inflow[task.grad.at(b, K, j, k)] = T(0);
      }
    }
  }
  row_sum = sum_for_all(row_sum);
  constant = sum_for_all(constant);
  if (threadIdx.x == 0) {
    task.grad.slope[task.grad.at(b, K, i, i)] = T(row_sum * task.inverse_temperature);
    task.constants[b * K + i] = constant;
    task.grad.top[b * K + i] = T(mine.top);
    task.grad.inverse_mass[b * K + i] = T(1.0 / mine.mass);
    task.grad.shift[b * K + i] = mine.shift;
  }
}

// A block adds the sums of 32 columns of G to the constants, image by image; its 8 warps take as
// many pieces of a column. The first block also adds up the loss. All read 8 K^2 bytes per image.
template <class T>
__global__ __launch_bounds__(kMatrixThreads) void divergence_columns_kernel(
    const MatrixTask<T> task, void* loss, structkd_dtype dtype) {
  constexpr int kPieces = kMatrixThreads / kWarp;
  STRUCTKD_SHARED(double, sums, [kPieces][kWarp]);
  const int lane = int(threadIdx.x) % kWarp, piece = int(threadIdx.x) / kWarp;
  const unsigned blocks_per_image = unsigned(divide_up(task.K, kWarp));
  const int64_t K = task.K, b = blockIdx.x / blocks_per_image;
  const int64_t k = int64_t(blockIdx.x % blocks_per_image) * kWarp + lane;
  if (blockIdx.x == 0) {
    double sum = 0.0;
    for (int64_t i = threadIdx.x; i < task.images * K; i += kMatrixThreads) {
      sum += task.row_losses[i];
    }
    sum = block_sum<kMatrixThreads>(sum);
    if (threadIdx.x == 0) store_loss(loss, dtype, sum);
  }
  if (task.grad.slope == nullptr || is_empty(task, b)) return;
  double sum = 0.0;
  for (int64_t j = piece; k < K && j < K; j += kPieces) sum += task.G[(b * K + j) * K + k];
  sums[piece][lane] = sum;
  __syncthreads();
  if (piece != 0 || k >= K) return;
  for (int p = 1; p < kPieces; ++p) sum += sums[p][lane];
  task.grad.constant[b * K + k] = T((task.constants[b * K + k] + sum) * task.inverse_temperature);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_MATRIX_CUH
