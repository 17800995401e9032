// cuda/global_structural_groups.cuh: the divergence between two similarity maps, group by group.
//
//   KL_g = E_T[(v_T - v_S) / tau] - log Z_T + log Z_S      E_T: mean under the teacher's softmax
//
// A group has `width` entries in every row, at positions g width .. of the row's permutation, which
// the network of core/permutation.h turns into columns: entries are visited group by group, so no
// sum has two writers. Exponentials and sums in f64: KL is the small difference of large terms when
// student and teacher agree.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH

#include "arrival.cuh"
#include "global_structural_rows.cuh"

namespace structkd::cuda {
namespace {

// Where the columns of each row stand, and the group of each entry.
struct Shuffle {
  Permutation* permutations;  // [B, M], or nullptr: not drawn
  int32_t* columns;  // [B, M, M] by row and position, -1 behind the last; or nullptr: no table
  int32_t* groups;   // [B, M, M] by row and column, -1: none; or nullptr: nobody asks

  // Column at a position of a row, counted over the batch; -1: none.
  __device__ int32_t column(uint32_t row, uint32_t position, uint32_t M) const {
    if (columns != nullptr) return columns[uint64_t(row) * M + position];
    if (permutations == nullptr) return int32_t(position);
    return int32_t(column_at(permutations[row], position));
  }
};

// Sums of a group, or of a part of one, shifted by the largest entries so far.
struct GroupSums {
  double largest_s, largest_t;
  double sum_s, sum_t;  // of exp((v - largest) / tau)
  double gap;           // of exp((v_T - largest_t) / tau) (v_T - v_S)

  __device__ void clear() {
    largest_s = largest_t = -HUGE_VAL;
    sum_s = sum_t = gap = 0.0;
  }

  // One exponential each: the larger of the two entries has weight 1.
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
      // Not 0 * inf: what weighs nothing adds nothing.
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

constexpr int kGroupThreads = 128;
constexpr int kGroupBlocks = 264;  // per image at most, 2 for each of 132 multiprocessors

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
  return factor * tau * tau * ((gap + tops) * image.inverse_tau + log_sums);
}

// The loss of an image, and every group's slope, by one block: first a warp per group merges its
// parts, into the place of the first part; then a thread per group. Right in thread 0.
template <class T>
__device__ double close_image(const GlobalStructuralArgs& args,
                              const ImageGroups& image,
                              const GroupParts& parts,
                              int64_t b,
                              GroupSlope<T>* slopes) {
  const uint32_t count = uint32_t(image.groups.count);
  for (uint32_t group = threadIdx.x / kWarp; group < count; group += kGroupThreads / kWarp) {
    const GroupSums total = group_total(image, parts, b, group);
    if (threadIdx.x % kWarp == 0) parts.at(b, 0, group) = total;
  }
  __syncthreads();
  double loss = 0.0;
  for (uint32_t group = threadIdx.x; group < count; group += kGroupThreads) {
    GroupSlope<T>* slope = slopes == nullptr ? nullptr : slopes + b * args.max_samples + group;
    loss += close_group(args, image, parts.at(b, 0, group), group, slope);
  }
  return block_sum<kGroupThreads>(loss);
}

// Blocks (x) of an image (y) share its parts of groups. Threads take a part's entries in turn, and
// their sums are merged in thread order. Per entry: a walk through the permutation network and a
// gather of two numbers from a row that is in L2. Writes the entry's group for the gradient: of f32
// maps 8 M^2 bytes are read and 4 M^2 written, and 40 for each part of a group.
// The block that ends last of an image closes its groups: 40 bytes are read per part, 72 written
// per group (f32); the one that closes the last image adds the losses of all, in the order of
// images. 4: the compiler may take 128 registers; left alone it aims at 56 for sm_100 and sm_120,
// and spills.
template <class T>
__global__ void __launch_bounds__(kGroupThreads, 4)
    group_sums_part_per_block_kernel(GlobalStructuralArgs args,
                                     const ImageGroups* images,
                                     Shuffle shuffle,
                                     int64_t pitch,
                                     const T* student_map,
                                     const T* teacher_map,
                                     GroupParts parts,
                                     GroupSlope<T>* slopes,
                                     double* losses,
                                     Arrivals arrivals) {
  STRUCTKD_SHARED(GroupSums, warp_sums, [kGroupThreads / kWarp]);
  // M <= 2^20, and the rows of a batch, whose maps fit in memory: 32 bits. Divisions of 64 bits are
  // calls.
  const uint32_t b = blockIdx.y, stride = uint32_t(args.max_samples);
  const DescriptorGroups groups = images[b].groups;  // none where the image has no samples
  const uint32_t columns = uint32_t(groups.M), group_width = uint32_t(groups.width);
  const uint32_t part_count = (columns + parts.rows - 1) / parts.rows;
  const uint32_t tasks = part_count * uint32_t(groups.count);  // at most 32 M
  const double inverse_tau = images[b].inverse_tau;
  for (uint32_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const uint32_t group = task / part_count, part = task % part_count;
    const uint32_t row0 = part * parts.rows, position0 = group * group_width;
    const uint32_t rows = columns - row0 < parts.rows ? columns - row0 : parts.rows;
    const uint32_t width = columns - position0 < group_width ? columns - position0 : group_width;
    GroupSums sums;
    sums.clear();
    for (uint32_t e = threadIdx.x; e < rows * width; e += kGroupThreads) {
      const uint32_t row = b * stride + row0 + e / width;
      const int32_t column = shuffle.column(row, position0 + e % width, stride);
      if (column < 0) continue;
      const int64_t entry = row * pitch + column;
      sums.add(double(student_map[entry]), double(teacher_map[entry]), inverse_tau);
      if (shuffle.groups != nullptr) shuffle.groups[entry] = int32_t(group);
    }
#pragma unroll 1
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      sums.merge(shuffled_down(sums, lanes), inverse_tau);
    }
    __syncthreads();  // the sums of the last task have been read
    if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = sums;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 1
      for (int w = 1; w < kGroupThreads / kWarp; ++w) sums.merge(warp_sums[w], inverse_tau);
      parts.at(b, part, group) = sums;
    }
  }

  if (!arrives_last(&arrivals.images[b], gridDim.x)) return;
  const double image_loss = close_image(args, images[b], parts, b, slopes);
  if (threadIdx.x == 0) losses[b] = image_loss;
  if (!arrives_last(arrivals.batch, gridDim.y)) return;
  double loss = 0.0;
  for (uint32_t image = threadIdx.x; image < gridDim.y; image += kGroupThreads) {
    loss += losses[image];
  }
  loss = block_sum<kGroupThreads>(loss);
  if (threadIdx.x == 0) store_loss(args.loss, args.student.dtype, loss);
}

// A table of permutations as columns by position, entries that name no column left out, and no
// group for columns that no entry names. A warp per row; the row's bit set of seen columns is in
// shared memory. Per entry of the map 4 bytes are read and 8 written.
__global__ void __launch_bounds__(kWarp)
    read_table_warp_per_row_kernel(GlobalStructuralArgs args, Shuffle shuffle, int64_t pitch) {
  STRUCTKD_DYNAMIC_SHARED(uint32_t, seen);
  const int64_t stride = args.max_samples, b = blockIdx.x / stride, row = blockIdx.x % stride;
  const int64_t M = samples_of(args, b);
  if (row >= M) return;
  const unsigned lane = threadIdx.x;
  for (int64_t w = lane; w < divide_up(M, kWarp); w += kWarp) seen[w] = 0;
  int32_t* columns = shuffle.columns + (b * stride + row) * stride;
  for (int64_t j = lane; j < M; j += kWarp) {
    columns[j] = -1;
    if (shuffle.groups != nullptr) shuffle.groups[(b * stride + row) * pitch + j] = -1;
  }
  __syncwarp();
  const IntTable& table = args.permutation;
  const int64_t table_row = args.shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0 : row;
  const int32_t* entries = table.data + b * table.stride_b + table_row * table.stride_r;
  int64_t position = 0;
  for (int64_t p0 = 0; p0 < table.columns && position < M; p0 += kWarp) {
    const int64_t p = p0 + lane;
    int64_t j = p < table.columns ? entries[p * table.stride_c] : -1;
    if (j < 0 || j >= M || (seen[j / kWarp] >> (j % kWarp) & 1u)) j = -1;
    // Of equal entries the first counts.
    for (int earlier = 0; earlier < kWarp; ++earlier) {
      const int64_t other = __shfl_sync(kFullWarp, j, earlier);
      if (earlier < int(lane) && other == j) j = -1;
    }
    const unsigned named = __ballot_sync(kFullWarp, j >= 0);
    if (j >= 0) {
      atomicOr(&seen[j / kWarp], 1u << (j % kWarp));
      columns[position + __popc(named & ((1u << lane) - 1))] = int32_t(j);
    }
    position += __popc(named);
    __syncwarp();
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_GROUPS_CUH
