// cuda/pairwise_operands.cuh: unit vectors on their way from the feature maps to shared memory, as
// operands of block_product() in gemm.cuh.
#ifndef STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH
#define STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH

#include "gemm.cuh"
#include "pairwise_nodes.cuh"

namespace structkd::cuda {
namespace {

enum class Source { kStudent, kTeacher, kDifference };

// Place of a warp's lane in 8 rows x 4 columns, so that channels-last maps are read in whole 32-byte
// sectors and the values spread over all banks.
__device__ __forceinline__ int lane_row(int lane) { return lane % 4 + lane / 16 * 4; }
__device__ __forceinline__ int lane_column(int lane) { return lane / 4 % 4; }

// Operand of Rows channels; the reduction runs over the nodes of a group.
//   threads  maps with neighbouring nodes: 16 threads on the 16 nodes of a chunk; channels-last: 8
//            threads on 8 channels
template <class Real, class T, int Rows, int Threads, bool WithDifference>
class ChannelRows {
 public:
  using Layout = KInnermost<T, Rows>;

  // Channels c0 .. c0 + Rows - 1, nodes first .. end - 1 of a group.
  __device__ __forceinline__ ChannelRows(const Nodes<Real>& nodes,
                                         Source source,
                                         int64_t c0,
                                         int64_t group,
                                         int64_t first,
                                         int64_t end)
      : nodes_(nodes), source_(source) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const bool by_channel = nodes.student.channels_innermost();
    row_ = by_channel ? lane_row(lane) + warp / 4 * 8 : threadIdx.x / kChunk;
    k_ = by_channel ? lane_column(lane) + warp % 4 * 4 : threadIdx.x % kChunk;
    c_ = c0 + row_;
    left_ = end - first - k_;
    b_ = group * nodes.images + (first + k_) / nodes.N;
    n_ = (first + k_) % nodes.N;
  }

  __device__ __forceinline__ void fetch(int64_t) {
    const bool inside = left_ > 0;
    const int64_t node = b_ * nodes_.N + n_;
    if (inside && source_ != Source::kTeacher) {
      student_scale_ = ScaleFor<T>::of(nodes_.student_scale[node]);
    }
    if (inside && source_ != Source::kStudent) {
      teacher_scale_ = ScaleFor<T>::of(nodes_.teacher_scale[node]);
    }
    read(source_ == Source::kTeacher ? nodes_.teacher : nodes_.student, inside, first_);
    if constexpr (WithDifference) {
      if (source_ == Source::kDifference) read(nodes_.teacher, inside, second_);
    }
    left_ -= kChunk;
    for (n_ += kChunk; n_ >= nodes_.N; n_ -= nodes_.N) ++b_;
  }

  __device__ __forceinline__ void put(T* shared) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      T value;
      if (WithDifference && source_ == Source::kDifference) {
        value = unit_difference<T>(first_[i], student_scale_, second_[WithDifference ? i : 0],
                                   teacher_scale_);
      } else {
        value = unit<T>(first_[i], source_ == Source::kStudent ? student_scale_ : teacher_scale_);
      }
      shared[Layout::at(row_ + i * kRowsPerPass, k_)] = value;
    }
  }

 private:
  static constexpr int kRowsPerPass = Threads / kChunk, kPasses = Rows / kRowsPerPass;

  __device__ __forceinline__ void read(const Features<Real>& map,
                                       bool inside,
                                       Real (&values)[kPasses]) const {
    map.with_elements([&](auto* element) {
      element += b_ * map.stride_b + c_ * map.stride_c + map.pixel_offset(n_);
#pragma unroll
      for (int i = 0; i < kPasses; ++i) {
        const bool given = inside && c_ + i * kRowsPerPass < map.C;
        values[i] = given ? widen(element[i * kRowsPerPass * map.stride_c]) : Real(0);
      }
    });
  }

  const Nodes<Real>& nodes_;
  Source source_;
  int64_t left_, b_, n_, c_;  // nodes still to come, the next node, the first channel
  int row_, k_;
  Scale<T> student_scale_ = {}, teacher_scale_ = {};
  Real first_[kPasses];
  Real second_[WithDifference ? kPasses : 1];
};

// Nodes of a tile: where they are in memory and how long.
constexpr int kTileNodes = 64;

template <class T>
struct NodeTile {
  int64_t student[kTileNodes], teacher[kTileNodes];  // offsets of channel 0; < count are valid
  Scale<T> student_scale[kTileNodes], teacher_scale[kTileNodes];
};

// Nodes i0 .. i0 + 63 of a group. A barrier must follow.
template <class Real, class T>
__device__ __forceinline__ void describe_nodes(const Nodes<Real>& nodes,
                                               int64_t group,
                                               int64_t i0,
                                               NodeTile<T>& tile) {
  if (threadIdx.x >= kTileNodes) return;
  const int64_t i = i0 + threadIdx.x;
  const bool inside = i < nodes.group_nodes();
  const int64_t b = group * nodes.images + (inside ? i / nodes.N : 0), n = inside ? i % nodes.N : 0;
  tile.student[threadIdx.x] = b * nodes.student.stride_b + nodes.student.pixel_offset(n);
  tile.teacher[threadIdx.x] = b * nodes.teacher.stride_b + nodes.teacher.pixel_offset(n);
  tile.student_scale[threadIdx.x] = ScaleFor<T>::of(nodes.student_scale[b * nodes.N + n]);
  tile.teacher_scale[threadIdx.x] = ScaleFor<T>::of(nodes.teacher_scale[b * nodes.N + n]);
}

// The order in which a reduction takes student and other channels. Where both have as many, 8 channels
// of the student and the same 8 of the other make a chunk: both need the same features.
struct StackedChannels {
  int64_t Cs, Ct;
  bool paired;

  __host__ __device__ StackedChannels(int64_t Cs, int64_t Ct, bool may_pair = true)
      : Cs(Cs), Ct(Ct), paired(may_pair && Cs == Ct) {}

  __host__ __device__ __forceinline__ int64_t student_chunks() const {
    return divide_up(Cs, paired ? kChunk / 2 : kChunk);
  }
  __host__ __device__ __forceinline__ int64_t chunks() const {
    return student_chunks() + (paired ? 0 : divide_up(Ct, kChunk));
  }
  // Channels up to whole chunks.
  __host__ __device__ __forceinline__ int64_t student_end() const {
    return student_chunks() * (paired ? kChunk / 2 : kChunk);
  }
  __host__ __device__ __forceinline__ int64_t other_end() const {
    return paired ? student_end() : divide_up(Ct, kChunk) * kChunk;
  }
  // Row of channel c among all chunks.
  __host__ __device__ __forceinline__ int64_t row(bool other, int64_t c) const {
    if (paired) return c / 8 * kChunk + c % 8 + (other ? 8 : 0);
    return c + (other ? student_chunks() * kChunk : 0);
  }
};

// Operand of 64 nodes; the reduction runs over stacked channels. Per node x:
//   left   [s; d] or, unpaired, [s; t]      right   [d; t] or, unpaired, [s; -t]
// so that left' right is s_i d_j + d_i t_j = s_i s_j - t_i t_j, without cancellation where d is small.
enum class Side { kLeft, kRight };

template <class Real, class T, Side kSide, int Threads>
class NodeColumns {
 public:
  using Layout = RowInnermost<T, kTileNodes>;

  __device__ __forceinline__ NodeColumns(const Nodes<Real>& nodes,
                                         const NodeTile<T>& tile,
                                         int64_t valid,
                                         const StackedChannels& channels)
      : nodes_(nodes),
        tile_(tile),
        channels_(channels),
        valid_(valid < kTileNodes ? int(valid) : kTileNodes),
        by_channel_(nodes.student.channels_innermost()) {}

  __device__ __forceinline__ void fetch(int64_t q) {
    if (channels_.paired) {
      read<kPasses / 2, 0>(nodes_.student, tile_.student, q * 8);
      read<kPasses / 2, kPasses / 2>(nodes_.teacher, tile_.teacher, q * 8);
    } else if (q < channels_.student_chunks()) {
      teacher_ = false;
      read<kPasses, 0>(nodes_.student, tile_.student, q * kChunk);
    } else {
      teacher_ = true;
      read<kPasses, 0>(nodes_.teacher, tile_.teacher, (q - channels_.student_chunks()) * kChunk);
    }
  }

  __device__ __forceinline__ void put(T* shared) const {
    if (channels_.paired) {
#pragma unroll
      for (int i = 0; i < kPasses / 2; ++i) {
        const int r = row(i), x = node(i);
        const Real s = values_[i], t = values_[i + kPasses / 2];
        const T d = unit_difference<T>(s, tile_.student_scale[x], t, tile_.teacher_scale[x]);
        shared[Layout::at(x, r + (kSide == Side::kLeft ? 8 : 0))] = d;
        shared[Layout::at(x, r + (kSide == Side::kLeft ? 0 : 8))] =
            kSide == Side::kLeft ? unit<T>(s, tile_.student_scale[x])
                                 : unit<T>(t, tile_.teacher_scale[x]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kPasses; ++i) {
        const int x = node(i);
        const Real f = kSide == Side::kRight && teacher_ ? -values_[i] : values_[i];
        shared[Layout::at(x, row(i))] =
            unit<T>(f, teacher_ ? tile_.teacher_scale[x] : tile_.student_scale[x]);
      }
    }
  }

 private:
  static constexpr int kPasses = kChunk * kTileNodes / Threads;

  __device__ __forceinline__ int item(int pass) const { return pass * Threads + threadIdx.x; }
  __device__ __forceinline__ int row(int pass) const {
    const int i = item(pass);
    return by_channel_ ? lane_row(i % kWarp) + i / (8 * kTileNodes) * 8 : i / kTileNodes;
  }
  __device__ __forceinline__ int node(int pass) const {
    const int i = item(pass);
    return by_channel_ ? lane_column(i % kWarp) + i / kWarp % 16 * 4 : i % kTileNodes;
  }

  template <int Passes, int First>
  __device__ __forceinline__ void read(const Features<Real>& map,
                                       const int64_t* offsets,
                                       int64_t c0) {
    map.with_elements([&](auto* elements) {
#pragma unroll
      for (int i = 0; i < Passes; ++i) {
        const int64_t c = c0 + row(i);
        const int x = node(i);
        values_[First + i] =
            c < map.C && x < valid_ ? widen(elements[offsets[x] + c * map.stride_c]) : Real(0);
      }
    });
  }

  const Nodes<Real>& nodes_;
  const NodeTile<T>& tile_;
  StackedChannels channels_;
  int valid_;
  bool by_channel_, teacher_ = false;
  Real values_[kPasses];
};

// Operand that lies in memory as a matrix [k][row], rows `pitch` apart, already of type T.
template <class T, int Rows, int Threads>
class MatrixRows {
 public:
  using Layout = RowInnermost<T, Rows>;

  // From column `first` of the matrix on, which has `pitch` columns.
  __device__ __forceinline__ MatrixRows(const T* matrix, int64_t first, int64_t pitch)
      : element_(matrix + int64_t(threadIdx.x / Rows) * pitch + first + threadIdx.x % Rows),
        pitch_(pitch),
        inside_(first + threadIdx.x % Rows < pitch) {}

  __device__ __forceinline__ void fetch(int64_t q) {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      values_[i] = inside_ ? element_[(q * kChunk + i * (Threads / Rows)) * pitch_] : T{};
    }
  }

  __device__ __forceinline__ void put(T* shared) const {
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      shared[Layout::at(threadIdx.x % Rows, threadIdx.x / Rows + i * (Threads / Rows))] = values_[i];
    }
  }

 private:
  static constexpr int kPasses = kChunk * Rows / Threads;

  const T* element_;
  int64_t pitch_;
  bool inside_;
  T values_[kPasses];
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH
