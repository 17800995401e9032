// cuda/pairwise/operands.cuh: unit vectors on their way from the feature maps to shared memory, as
// operands of block_product() in gemm.cuh.
#ifndef STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH
#define STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH

#include "cuda/common/gemm.cuh"
#include "cuda/pairwise/nodes.cuh"

namespace structkd::cuda {
namespace {

enum class Source { kStudent, kTeacher, kDifference };

// The place of a warp's lane in 8 rows x 4 columns: channels-last maps are then read in whole
// 32-byte sectors and the values spread over all banks. But f32 and TF32 in RowInnermost order have
// rows 0 and 4 in one bank: each store conflicts once, 8 times per chunk and warp. To shift every
// second four rows would end that, for 78 instructions more per chunk and warp of a TF32 product,
// whatever the layout.
__device__ __forceinline__ int lane_row(int lane) { return lane % 4 + lane / 16 * 4; }
__device__ __forceinline__ int lane_column(int lane) { return lane / 4 % 4; }

// A thread's way along the nodes of a group, one chunk after the other, and its place in a chunk.
//   threads  maps with neighbouring nodes: half a warp on the 16 nodes of a chunk, the other half
//            four rows on, where f32 has the other 16 banks; channels-last: 8 threads on 8 channels
template <class Real>
class NodeCursor {
 public:
  // Begins with chunk `first` of the group.
  __device__ __forceinline__ NodeCursor(const Nodes<Real>& nodes, int64_t group, int64_t first)
      : nodes(nodes) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const bool by_channel = nodes.student.channels_innermost();
    row = (by_channel ? lane_row(lane) : warp % 4 + lane / kChunk * 4) + warp / 4 * 8;
    k = by_channel ? lane_column(lane) + warp % 4 * 4 : lane % kChunk;
    const int64_t i = first * kChunk + k;
    left_ = nodes.group_nodes() - i;
    b = group * nodes.images + i / nodes.N;
    n = i % nodes.N;
  }

  // Chunks are asked for in order, each by both operands.
  __device__ __forceinline__ void move_to(int64_t q) {
    if (q == chunk_) return;
    if (q != 0) {
      left_ -= kChunk;
      for (n += kChunk; n >= nodes.N; n -= nodes.N) ++b;
    }
    chunk_ = q;
  }

  __device__ __forceinline__ bool inside() const { return left_ > 0; }
  __device__ __forceinline__ int64_t node() const { return b * nodes.N + n; }

  const Nodes<Real>& nodes;
  int row, k;    // in the chunk
  int64_t b, n;  // the image and the node in it

 private:
  int64_t left_, chunk_ = -1;
};

// How many of the channels c, c + Step, .. c + (Passes - 1) Step a map of C has. Counted once: a
// loop that compares channel after channel keeps numbers of 64 bits in registers.
template <int Step, int Passes>
__device__ __forceinline__ int given_passes(int64_t C, int64_t c) {
  if (c >= C) return 0;
  const int64_t given = divide_up(C - c, int64_t(Step));
  return given < Passes ? int(given) : Passes;
}

// The operand whose rows are Rows channels; the reduction runs over nodes.
template <class Real, class T, int Rows, int Threads, bool WithDifference>
class ChannelRows {
 public:
  using Layout = KInnermost<T, Rows>;

  // Channels c0 .. c0 + Rows - 1.
  __device__ __forceinline__ ChannelRows(NodeCursor<Real>& cursor, Source source, int64_t c0)
      : cursor_(cursor), source_(source), c_(c0 + cursor.row) {
    // A difference has as many channels in both maps.
    const Nodes<Real>& nodes = cursor.nodes;
    const int64_t C = source == Source::kTeacher ? nodes.teacher.C : nodes.student.C;
    passes_ = given_passes<kRowsPerPass, kPasses>(C, c_);
  }

  __device__ __forceinline__ void fetch(int64_t q, T*) {
    cursor_.move_to(q);
    const Nodes<Real>& nodes = cursor_.nodes;
    if (cursor_.inside()) {
      student_scale_ = ScaleFor<T>::of(nodes.student_scale[cursor_.node()]);
      teacher_scale_ = ScaleFor<T>::of(nodes.teacher_scale[cursor_.node()]);
    }
    read(source_ == Source::kTeacher ? nodes.teacher : nodes.student, first_);
    if constexpr (WithDifference) {
      if (source_ == Source::kDifference) read(nodes.teacher, second_);
    }
  }

  __device__ __forceinline__ void put(T* shared) const {
    const Scale<T> scale = source_ == Source::kTeacher ? teacher_scale_ : student_scale_;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      T value;
      if (WithDifference && source_ == Source::kDifference) {
        value = unit_difference<T>(first_[i], student_scale_, second_[WithDifference ? i : 0],
                                   teacher_scale_);
      } else {
        value = unit<T>(first_[i], scale);
      }
      shared[Layout::at(cursor_.row + i * kRowsPerPass, cursor_.k)] = value;
    }
  }

 private:
  static constexpr int kRowsPerPass = Threads / kChunk, kPasses = Rows / kRowsPerPass;

  __device__ __forceinline__ void read(const Features<Real>& map, Real (&values)[kPasses]) const {
    const int64_t offset = map.offset(cursor_.b, c_, cursor_.n), step = kRowsPerPass * map.stride_c;
    map.with_elements([&](auto* element) {
      element += offset;
#pragma unroll
      for (int i = 0; i < kPasses; ++i) {
        values[i] = cursor_.inside() && i < passes_ ? widen(element[i * step]) : Real(0);
      }
    });
  }

  NodeCursor<Real>& cursor_;
  Source source_;
  int64_t c_;
  int passes_;  // in which this thread has a channel
  Scale<T> student_scale_ = {}, teacher_scale_ = {};
  Real first_[kPasses];
  Real second_[WithDifference ? kPasses : 1];
};

// The same operand for f64 products, of student or teacher: features and scales are copied to
// shared memory as they are, without passing through registers. f16 and bf16 pass through them to
// become f32.
template <class Real, int Rows, int Threads>
class RawChannelRows {
 public:
  using Layout = ScaledKInnermost<Real, Rows>;

  __device__ __forceinline__ RawChannelRows(NodeCursor<Real>& cursor, Source source, int64_t c0)
      : cursor_(cursor), student_(source == Source::kStudent), c_(c0 + cursor.row) {
    const int64_t C = (student_ ? cursor.nodes.student : cursor.nodes.teacher).C;
    passes_ = given_passes<kRowsPerPass, kPasses>(C, c_);
  }

  __device__ __forceinline__ void fetch(int64_t q, double* shared) {
    cursor_.move_to(q);
    const Nodes<Real>& nodes = cursor_.nodes;
    const Features<Real>& map = student_ ? nodes.student : nodes.teacher;
    Real* raw = Layout::raw(shared) + Layout::Order::at(cursor_.row, cursor_.k);
    // Channels that do not exist are 0 in both buffers from the beginning, nodes in the last chunk.
    if (q < 2) zero(raw, passes_);
    if (!cursor_.inside()) {
      if (cursor_.row == 0) shared[cursor_.k] = 0.0;
      zero(raw, 0);
      return;
    }
    if (cursor_.row == 0) {
      const UnitScale* scales = student_ ? nodes.student_scale : nodes.teacher_scale;
      async_copy<8>(shared + cursor_.k, &scales[cursor_.node()].wide);
    }
    const int64_t offset = map.offset(cursor_.b, c_, cursor_.n), step = kRowsPerPass * map.stride_c;
    map.with_elements([&](auto* element) {
      element += offset;
#pragma unroll
      for (int i = 0; i < kPasses; ++i, element += step) {
        if (i < passes_) copy(raw + Layout::Order::at(i * kRowsPerPass, 0), element);
      }
    });
  }

  __device__ __forceinline__ void put(double*) const {}

 private:
  static constexpr int kRowsPerPass = Threads / kChunk, kPasses = Rows / kRowsPerPass;

  __device__ static __forceinline__ void zero(Real* raw, int first) {
    for (int i = first; i < kPasses; ++i) raw[Layout::Order::at(i * kRowsPerPass, 0)] = Real(0);
  }

  template <class E>
  __device__ static __forceinline__ void copy(Real* shared, const E* element) {
    if constexpr (__is_same(Real, E)) {
      async_copy<int(sizeof(Real))>(shared, element);
    } else {
      *shared = widen(*element);
    }
  }

  NodeCursor<Real>& cursor_;
  bool student_;
  int64_t c_;
  int passes_;  // as in ChannelRows
};

// The nodes of a tile: where they lie in memory and how long they are.
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

// The order in which a reduction takes student and other channels. Where both have as many, 8
// channels of the student and the same 8 of the other make a chunk: both need the same features.
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

// The operand whose rows are 64 nodes; the reduction runs over stacked channels. Per node x:
//   left   [s; d] or, unpaired, [s; t]      right   [d; t] or, unpaired, [s; -t]
// so that left' right is s_i d_j + d_i t_j = s_i s_j - t_i t_j, without cancellation where d is
// small.
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
        valid_(valid < kTileNodes ? int(valid) : kTileNodes) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const bool by_channel = nodes.student.channels_innermost();
    x_ = by_channel ? lane_column(lane) + warp * 4 : threadIdx.x % kTileNodes;
    x_step_ = by_channel ? Threads / 8 : 0;
    row_ = by_channel ? lane_row(lane) : threadIdx.x / kTileNodes;
    row_step_ = by_channel ? 0 : Threads / kTileNodes;
  }

  __device__ __forceinline__ void fetch(int64_t q, T*) {
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
  // The first half of the passes does 8 rows of a chunk, the second half the others.
  static constexpr int kPasses = kChunk * kTileNodes / Threads, kHalf = kPasses / 2;

  __device__ __forceinline__ int row(int pass) const {
    return row_ + pass % kHalf * row_step_ + pass / kHalf * 8;
  }
  __device__ __forceinline__ int node(int pass) const { return x_ + pass % kHalf * x_step_; }

  template <int Passes, int First>
  __device__ __forceinline__ void read(const Features<Real>& map,
                                       const int64_t* offsets,
                                       int64_t c0) {
    const int left = map.C - c0 < kChunk ? int(map.C - c0) : kChunk;
    const int64_t first = (c0 + row_) * map.stride_c, step = row_step_ * map.stride_c;
    map.with_elements([&](auto* elements) {
      elements += first;
#pragma unroll
      for (int i = 0; i < Passes; ++i) {
        const int64_t channel = i % kHalf * step + i / kHalf * 8 * map.stride_c;
        values_[First + i] = row(i) < left && node(i) < valid_
                                 ? widen(elements[offsets[node(i)] + channel])
                                 : Real(0);
      }
    });
  }

  const Nodes<Real>& nodes_;
  const NodeTile<T>& tile_;
  StackedChannels channels_;
  int valid_;
  bool teacher_ = false;
  int x_, x_step_, row_, row_step_;  // of this thread, and from pass to pass
  Real values_[kPasses];
};

// The operand that lies in memory as a matrix [k][row] of type T: it is read 16 bytes at a time.
template <class T, int Rows, int Threads>
class MatrixRows {
 public:
  using Layout = RowInnermost<T, Rows>;

  // Begins at column `first` of the matrix, whose rows of `pitch` columns are n times 16 bytes.
  // Rows of the operand beyond that stay as they are, and so do results that nobody asks for.
  __device__ __forceinline__ MatrixRows(const T* matrix, int64_t first, int64_t pitch)
      : element_(matrix + first + column() + row() * pitch),
        pitch_(pitch),
        inside_(first + column() < pitch) {}

  __device__ __forceinline__ void fetch(int64_t q, T* shared) const {
    if (!inside_) return;
#pragma unroll
    for (int i = 0; i < kChunk; i += kStep) {
      async_copy<16>(shared + Layout::at(column(), row() + i),
                     element_ + (q * kChunk + i) * pitch_);
    }
  }

  __device__ __forceinline__ void put(T*) const {}

 private:
  static constexpr int kVector = 16 / int(sizeof(T)), kPerRow = Rows / kVector;
  static constexpr int kStep = Threads / kPerRow;

  __device__ static __forceinline__ int column() { return int(threadIdx.x) % kPerRow * kVector; }
  __device__ static __forceinline__ int row() { return int(threadIdx.x) / kPerRow; }

  const T* element_;
  int64_t pitch_;
  bool inside_;
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_OPERANDS_CUH
