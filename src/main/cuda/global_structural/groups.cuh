// cuda/global_structural/groups.cuh: the divergence between two similarity maps, group by group.
//
//   KL_g = E_T[(v_T - v_S) / tau] - log Z_T + log Z_S      E_T: mean under the teacher's softmax
//
// A group has `width` entries in every row, at positions g width .. of the row's permutation:
// entries are visited group by group, so no sum has two writers. Exponentials and sums in f64: KL
// is the small difference of large terms when student and teacher agree.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH

#include "core/divergence.h"
#include "cuda/common/arrival.cuh"
#include "cuda/global_structural/maps.cuh"

namespace structkd::cuda {
namespace {

// Sums of a group, or of a part of one, shifted by the largest entries so far.
struct GroupSums {
  double largest_s, largest_t;
  double sum_s, sum_t;  // of exp((v - largest) / tau)
  double gap;           // of exp((v_T - largest_t) / tau) (v_T - v_S)

  __device__ void clear() {
    largest_s = largest_t = -HUGE_VAL;
    sum_s = sum_t = gap = 0.0;
  }

  // Each net takes one exponential: the larger of the two entries has weight 1.
  __device__ void add(double v_s, double v_t, double inverse_tau) {
    const double e_s = exp(-fabs(v_s - largest_s) * inverse_tau);
    if (v_s > largest_s) {
      sum_s = sum_s * e_s + 1.0;
      largest_s = v_s;
    } else {
      sum_s += e_s;
    }
    const double e_t = exp(-fabs(v_t - largest_t) * inverse_tau);
    if (v_t > largest_t) {
      sum_t = sum_t * e_t + 1.0;
      gap = gap * e_t + (v_t - v_s);
      largest_t = v_t;
    } else {
      sum_t += e_t;
      // 0 * inf is avoided: what weighs nothing adds nothing.
      gap += e_t == 0.0 ? 0.0 : e_t * (v_t - v_s);
    }
  }

  __device__ void merge(const GroupSums& other, double inverse_tau) {
    // A part without entries; NaN sums are none.
    if (other.sum_t == 0.0) return;
    if (sum_t == 0.0) {
      *this = other;
      return;
    }
    const double e_s = exp(-fabs(other.largest_s - largest_s) * inverse_tau);
    const double e_t = exp(-fabs(other.largest_t - largest_t) * inverse_tau);
    const bool more_s = other.largest_s > largest_s, more_t = other.largest_t > largest_t;
    sum_s = more_s ? sum_s * e_s + other.sum_s : sum_s + other.sum_s * e_s;
    sum_t = more_t ? sum_t * e_t + other.sum_t : sum_t + other.sum_t * e_t;
    gap = more_t ? gap * e_t + other.gap : gap + other.gap * e_t;
    largest_s = more_s ? other.largest_s : largest_s;
    largest_t = more_t ? other.largest_t : largest_t;
  }
};

__device__ inline GroupSums shuffled_down(const GroupSums& sums, int lanes) {
  return {__shfl_down_sync(kFullWarp, sums.largest_s, lanes),
          __shfl_down_sync(kFullWarp, sums.largest_t, lanes),
          __shfl_down_sync(kFullWarp, sums.sum_s, lanes),
          __shfl_down_sync(kFullWarp, sums.sum_t, lanes),
          __shfl_down_sync(kFullWarp, sums.gap, lanes)};
}

// A part of a group: its entries in some rows. Small parts, so that all multiprocessors have one,
// but no more parts than a warp has lanes to merge them.
constexpr int kLeastRowsPerPart = 16;

// [B, parts, M] sums of each part of each group; only parts and groups that exist are written.
struct GroupParts {
  int64_t M;
  uint32_t rows;  // per part
  uint32_t parts;
  GroupSums* sums;

  GroupParts(int64_t B, int64_t max_samples, Workspace& workspace) : M(max_samples) {
    const int64_t fitting = divide_up(max_samples, kWarp);
    rows = uint32_t(fitting < kLeastRowsPerPart ? kLeastRowsPerPart : fitting);
    parts = uint32_t(divide_up(max_samples, rows));
    sums = workspace.take<GroupSums>(B * parts * M);
  }

  __device__ GroupSums& at(int64_t b, int64_t part, int64_t group) const {
    return sums[(b * parts + part) * M + group];
  }
};

// What the gradient needs of a group. With q the softmax of the group,
//   d loss / d v_S = scale (q_S - q_T) = scale q_T expm1(log q_S - log q_T)
template <class T>
struct GroupSlope {
  T largest_s, largest_t;
  T inverse_s, inverse_t;  // 1 / sum of exp((v - largest) / tau)
  double shift;  // log q_S - log q_T = (v_S - v_T) / tau - shift: close numbers, hence f64
  double scale;

  __device__ T at(T v_s, T v_t, double inverse_tau) const {
    const T q_t = exp((v_t - largest_t) * T(inverse_tau)) * inverse_t;
    const T log_ratio = T((double(v_s) - double(v_t)) * inverse_tau - shift);
    // Far above, q_T may be 0 and the ratio infinite; there the difference has its bits anyway.
    const T far = exp((v_s - largest_s) * T(inverse_tau)) * inverse_s - q_t;
    return T(scale) * (log_ratio > T(1) ? far : q_t * expm1(log_ratio));
  }
};

// The total of a group, by one warp: a lane per part, merged in part order.
__device__ inline GroupSums group_total(const ImageGroups& image,
                                        const GroupParts& parts,
                                        int64_t b,
                                        int64_t group) {
  const unsigned lane = threadIdx.x % kWarp;
  GroupSums total;
  total.clear();
  if (lane < parts.parts && lane * parts.rows < image.groups.M) total = parts.at(b, lane, group);
#pragma unroll 1
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    total.merge(shuffled_down(total, lanes), image.inverse_tau);
  }
  return total;
}

// 1 / sum for a sum of exponentials, which is at least 1: two Newton steps from 24 bits. The
// operator / would be a call, and spill registers around it.
__device__ inline double reciprocal_of_sum(double sum) {
  double inverse = double(__fdividef(1.0f, float(sum)));
  inverse = fma(inverse, fma(-sum, inverse, 1.0), inverse);
  return fma(inverse, fma(-sum, inverse, 1.0), inverse);
}

// The group's share of the loss; keeps its slope, if anyone wants it.
template <class T>
__device__ double close_group(const GlobalStructuralArgs& args,
                              const ImageGroups& image,
                              const GroupSums& total,
                              int64_t group,
                              GroupSlope<T>* slope) {
  const double tau = args.temperature;
  // A group is empty only under a permutation table with repeats.
  const double factor = total.sum_t == 0.0 ? 0.0 : image.weight * factor_of(image.groups, group);
  const double tops = total.largest_s - total.largest_t;
  const double log_sums = log(total.sum_s) - log(total.sum_t);  // exactly 0 for equal sums
  const double inverse_s = reciprocal_of_sum(total.sum_s);
  const double inverse_t = reciprocal_of_sum(total.sum_t);
  if (slope != nullptr) {
    *slope = {T(total.largest_s),
              T(total.largest_t),
              T(inverse_s),
              T(inverse_t),
              tops * image.inverse_tau + log_sums,
              factor * tau};
  }
  if (factor == 0.0) return 0.0;
  // E_T[v_T - v_S] counts from the largest entries, as the two sums do. The quotient has its last
  // bit right (a product with the inverse, and what it leaves): where it cancels with tops, 0 must
  // remain.
  const double product = total.gap * inverse_t;
  const double gap = fma(fma(-product, total.sum_t, total.gap), inverse_t, product);
  return factor * tau * tau * at_least_0((gap + tops) * image.inverse_tau + log_sums);
}

// Adds up the groups of all images, by blocks of Threads.
template <class T>
struct GroupWork {
  const ImageGroups* images;  // [B]
  Shuffle shuffle;
  GroupParts parts;
  SimilarityMaps<T> maps;
  GroupSlope<T>* slopes;  // [B, M], or nullptr
  double* losses;         // [B]
  Arrivals arrivals;

  __device__ uint32_t parts_of(uint32_t b) const {
    return (uint32_t(images[b].groups.M) + parts.rows - 1) / parts.rows;
  }

  // One part of a group. Threads take its entries in turn, and their sums are merged in thread
  // order.
  template <int Threads>
  __device__ void add_part(const GlobalStructuralArgs& args,
                           uint32_t b,
                           uint32_t part,
                           uint32_t group) const {
    STRUCTKD_SHARED(GroupSums, warp_sums, [Threads / kWarp]);
    // M <= 2^20, and the rows of a batch, whose maps fit in memory: 32 bits. Divisions of 64 bits
    // are calls.
    const uint32_t stride = uint32_t(args.max_samples), columns = uint32_t(images[b].groups.M);
    const uint32_t group_width = uint32_t(images[b].groups.width);
    const double inverse_tau = images[b].inverse_tau;
    const uint32_t row0 = part * parts.rows, position0 = group * group_width;
    const uint32_t rows = columns - row0 < parts.rows ? columns - row0 : parts.rows;
    const uint32_t width = columns - position0 < group_width ? columns - position0 : group_width;
    // Two loads, the second by the first's number, run while the entry before is being added.
    bool exists;
    T v_s, v_t;
    const auto fetch = [&](uint32_t e) {
      exists = false;
      if (e >= rows * width) return;
      const uint32_t row = b * stride + row0 + e / width;
      const int32_t column = shuffle.column(row, position0 + e % width, stride);
      if (column < 0) return;
      exists = true;
      v_s = maps.student[row * maps.pitch + column];
      v_t = maps.teacher[row * maps.pitch + column];
    };
    GroupSums sums;
    sums.clear();
    fetch(threadIdx.x);
    for (uint32_t e = threadIdx.x; e < rows * width; e += Threads) {
      const bool adds = exists;
      const double student = double(v_s), teacher = double(v_t);
      fetch(e + Threads);
      if (adds) sums.add(student, teacher, inverse_tau);
    }
#pragma unroll 1
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      sums.merge(shuffled_down(sums, lanes), inverse_tau);
    }
    __syncthreads();  // the sums of the last part have been read
    if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = sums;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 1
      for (int w = 1; w < Threads / kWarp; ++w) sums.merge(warp_sums[w], inverse_tau);
      parts.at(b, part, group) = sums;
    }
  }

  // The loss of an image, and every group's slope: first a warp per group merges its parts, into
  // the place of the first part; then a thread per group. Right in thread 0.
  template <int Threads>
  __device__ double close_image(const GlobalStructuralArgs& args, uint32_t b) const {
    const uint32_t count = uint32_t(images[b].groups.count);
    for (uint32_t group = threadIdx.x / kWarp; group < count; group += Threads / kWarp) {
      const GroupSums total = group_total(images[b], parts, b, group);
      if (threadIdx.x % kWarp == 0) parts.at(b, 0, group) = total;
    }
    __syncthreads();
    double loss = 0.0;
    for (uint32_t group = threadIdx.x; group < count; group += Threads) {
      GroupSlope<T>* slope = slopes == nullptr ? nullptr : slopes + b * args.max_samples + group;
      loss += close_group(args, images[b], parts.at(b, 0, group), group, slope);
    }
    return block_sum<Threads>(loss);
  }

  // Ends one of the `blocks` that add parts of an image. The last of them closes its groups, and
  // the one that closes the last image adds the losses of all, in the order of images.
  template <int Threads>
  __device__ void end_block(const GlobalStructuralArgs& args, uint32_t b, uint32_t blocks) const {
    if (!arrives_last(&arrivals.groups[b], blocks)) return;
    const double image_loss = close_image<Threads>(args, b);
    if (threadIdx.x == 0) losses[b] = image_loss;
    const uint32_t B = uint32_t(args.student.B);
    if (!arrives_last(arrivals.images, B)) return;
    double loss = 0.0;
    for (uint32_t image = threadIdx.x; image < B; image += Threads) loss += losses[image];
    loss = block_sum<Threads>(loss);
    if (threadIdx.x == 0) store_loss(args.loss, args.student.dtype, loss);
  }
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH
