// cuda/pixelwise/rows.cuh: value and gradient of the pixel-wise loss for rows of more classes than
// registers hold, a block per row. What pixelwise.cu says of kernels holds here.
//
// Each thread sums while it searches its largest logits: what it has found is scaled whenever it
// meets a larger one, and once more when the threads meet. The gradient needs the row a second
// time. Its pieces, of 16 bytes where rows are aligned, come by copies that run ahead of the sums
// into shared memory, where as much of the row stays as there is room for: on an H100 28,672 f32
// classes. Only the rest is read again, from the second cache.
//
// Where the distributions are close, or the student is in front, m must be right to the last bits:
// it is then summed again from exact differences, and F after it.
#ifndef STRUCTKD_CUDA_PIXELWISE_ROWS_CUH
#define STRUCTKD_CUDA_PIXELWISE_ROWS_CUH

#include "cuda/pixelwise/kernels.cuh"
#include "cuda/pixelwise/running.cuh"

namespace structkd::cuda {
namespace {

constexpr int kRowThreads = 512;

// Groups of a thread whose copies are under way. With 16 bytes of each net in a group they are 64 KB
// of a block, about twice what a multiprocessor of an H100 needs for its share of the bandwidth at
// a latency of 1 us.
constexpr int kAhead = 4;

// Neighbouring classes that are read and written at once.
template <class Element, int Width>
struct alignas(sizeof(Element) * Width) Piece {
  Element value[Width];
};

// Bytes of a block for each piece of both nets that its threads keep; 0: copies know no such size,
// and all is read again.
template <class Element, int Width>
constexpr size_t kPieceBytes =
    sizeof(Piece<Element, Width>) < 4 ? 0 : 2 * sizeof(Piece<Element, Width>) * kRowThreads;

// The pieces of a thread of one row: the i-th has classes (i * kRowThreads + thread) * Width and
// those behind it. They are read in groups.
template <class Element, int Width>
class RowPieces {
 public:
  using T = Widened<Element>;
  static constexpr bool kKeeps = kPieceBytes<Element, Width> > 0;
  static constexpr int kPieces = Width > 1 || sizeof(Element) == 8 ? 1 : 4;  // of a group
  static constexpr int kClasses = kPieces * Width;

  __device__ __forceinline__ RowPieces(const PixelwiseTask<Element>& task,
                                       const Element* first,
                                       const Element* second)
      : first_(first),
        second_(second),
        first_step_(kRowThreads * Width * task.first.stride_c),
        second_step_(kRowThreads * Width * task.second.stride_c),
        kept_(0) {
    const int64_t pieces = task.first.C / Width;
    count_ = int((pieces + kRowThreads - 1 - int(threadIdx.x)) / kRowThreads);
    if constexpr (kKeeps) {
      STRUCTKD_DYNAMIC_SHARED(PieceOf, shared);
      slots_ = shared + threadIdx.x;
      kept_ = smaller(count_, task.kept_pieces);
    }
  }

  __device__ __forceinline__ bool has(int piece) const { return piece < count_; }
  __device__ __forceinline__ int groups() const { return (count_ + kPieces - 1) / kPieces; }

  // Begins the copies that read_ahead() waits for.
  __device__ __forceinline__ void begin() const {
    if constexpr (kKeeps) {
      for (int group = 0; group < kAhead; ++group) copy(group);
    }
  }

  // A group that is asked for the first time, one after the other.
  __device__ __forceinline__ void read_ahead(int group,
                                             T (&first)[kClasses],
                                             T (&second)[kClasses]) const {
    if constexpr (kKeeps) {
      copy(group + kAhead);
      async_copy_wait<kAhead>();
    }
    read(group, first, second);
  }

  // A group once more. Classes behind the last one have no weight.
  __device__ __forceinline__ void read(int group,
                                       T (&first)[kClasses],
                                       T (&second)[kClasses]) const {
    PieceOf pieces[kPieces][2];
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int i = group * kPieces + p;
      if (kKeeps && i < kept_) {
        pieces[p][0] = slots_[2 * i * kRowThreads];
        pieces[p][1] = slots_[(2 * i + 1) * kRowThreads];
      } else if (kPieces == 1 || has(i)) {
        pieces[p][0] = *reinterpret_cast<const PieceOf*>(first_ + i * first_step_);
        pieces[p][1] = *reinterpret_cast<const PieceOf*>(second_ + i * second_step_);
      }
    }
#pragma unroll
    for (int i = 0; i < kClasses; ++i) {
      const bool inside = kPieces == 1 || has(group * kPieces + i / Width);
      first[i] = inside ? T(widen(pieces[i / Width][0].value[i % Width])) : T(-INFINITY);
      second[i] = inside ? T(widen(pieces[i / Width][1].value[i % Width])) : T(-INFINITY);
    }
  }

 private:
  using PieceOf = Piece<Element, Width>;

  // A thread copies what it reads itself: no barrier. Groups are counted, empty ones, too.
  __device__ __forceinline__ void copy(int group) const {
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int i = group * kPieces + p;
      if (i >= kept_) continue;
      async_copy<sizeof(PieceOf)>(slots_ + 2 * i * kRowThreads, first_ + i * first_step_);
      async_copy<sizeof(PieceOf)>(slots_ + (2 * i + 1) * kRowThreads, second_ + i * second_step_);
    }
    async_copy_commit();
  }

  const Element* first_;
  const Element* second_;
  int64_t first_step_, second_step_;
  int count_, kept_;
  PieceOf* slots_ = nullptr;
};

// Writes the gradients of a piece, 16 bytes at a time where it has so many and rows are aligned.
template <int Width, class Element, class T>
__device__ __forceinline__ void store_piece(const GradOf<Element>& grad,
                                            bool aligned,
                                            int64_t offset,
                                            const T* values) {
  if constexpr (Width == 1) {
    grad.store(offset, values[0]);
  } else if (!aligned) {
#pragma unroll
    for (int w = 0; w < Width; ++w) grad.store(offset + w * grad.layout.stride_c, values[w]);
  } else if (grad.wide) {
    constexpr int kFloats = Width < 4 ? Width : 4;
#pragma unroll
    for (int start = 0; start < Width; start += kFloats) {
      Piece<float, kFloats> piece;
#pragma unroll
      for (int w = 0; w < kFloats; ++w) piece.value[w] = float(values[start + w]);
      *reinterpret_cast<Piece<float, kFloats>*>(static_cast<float*>(grad.data) + offset + start) =
          piece;
    }
  } else {
    Piece<Element, Width> piece;
#pragma unroll
    for (int w = 0; w < Width; ++w) piece.value[w] = narrow<Element>(values[w]);
    *reinterpret_cast<Piece<Element, Width>*>(static_cast<Element*>(grad.data) + offset) = piece;
  }
}

template <class Element, int Width>
__global__ __launch_bounds__(kRowThreads,
                             1) void pixelwise_rows_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  using Mapping = ClassBlock<kRowThreads>;
  using Row = RowPieces<Element, Width>;
  constexpr int kClasses = Row::kClasses;
  constexpr int kBlockGroups = kClassBlock / kClasses;  // summed before they join the sum of all
  const PixelPlace<Element, Mapping> place(task, Width);
  const Row row(task, place.first, place.second);
  const int groups = row.groups();
  const T inverse_temperature = task.inverse_temperature;

  row.begin();
  RunningSums<T> mine = RunningSums<T>::none();
  for (int start = 0; start < groups; start += kBlockGroups) {
    RunningSums<T> block = {mine.tops, {}};
    for (int g = start; g < start + kBlockGroups && g < groups; ++g) {
      T first[kClasses], second[kClasses];
      row.read_ahead(g, first, second);
      Tops<T> tops = block.tops;
#pragma unroll
      for (int i = 0; i < kClasses; ++i) {
        tops.first = larger(tops.first, first[i]);
        tops.second = larger(tops.second, second[i]);
      }
      if (tops.first > block.tops.first || tops.second > block.tops.second) {
        block.move_to(tops, inverse_temperature);
      }
#pragma unroll
      for (int i = 0; i < kClasses; ++i) {
        block.sums.add(rough_terms(first[i], second[i], tops, inverse_temperature));
      }
    }
    mine.move_to(block.tops, inverse_temperature);
    mine.sums.add(block.sums);
  }
  meet_running<Mapping>(mine, inverse_temperature);
  const Tops<T> tops = mine.tops;
  ClassSums<T> sums = mine.sums;

  // The sum over the row of what term(first, second) gives. All threads must call.
  const auto sum_over_row = [&](auto term) {
    T sum = T(0);
    for (int start = 0; start < groups; start += kBlockGroups) {
      T block = T(0);
      for (int g = start; g < start + kBlockGroups && g < groups; ++g) {
        T first[kClasses], second[kClasses];
        row.read(g, first, second);
#pragma unroll
        for (int i = 0; i < kClasses; ++i) block += term(first[i], second[i]);
      }
      sum += block;
    }
    return meet_excess<Mapping>(sum);
  };
  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  // All threads decide alike, as their sums are equal.
  const bool exact = student_first || PixelForm<T>(sums).close;
  if (exact) {
    sums.gap = sum_over_row([&](T first, T second) {
      const ClassTerms<T> terms = class_terms(first, second, tops, inverse_temperature);
      return terms.first * terms.gap;
    });
  }
  const PixelForm<T> form(sums);
  const auto slope_of = [&](T first, T second) {
    const ClassTerms<T> terms = class_terms(first, second, tops, inverse_temperature);
    return class_slope(terms.first, terms.second, terms.gap, form, student_first);
  };
  T excess = T(0);
  if (form.close) {
    excess = sum_over_row([&](T first, T second) { return slope_of(first, second).excess; });
  }

  // Writes what slope(first, second) makes of the gradient.
  const auto store_gradient = [&](auto slope) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t begin = task.grad.offset(place.b, int64_t(threadIdx.x) * Width, place.n);
    const int64_t step = kRowThreads * Width * task.grad.layout.stride_c;
    for (int g = 0; g < groups; ++g) {
      T first[kClasses], second[kClasses];
      row.read(g, first, second);
#pragma unroll
      for (int i = 0; i < kClasses; ++i) {
        const ClassSlope<T> found = slope(first[i], second[i]);
        first[i] = place.valid ? scale.gradient(found.slope, found.weight) : T(0);
      }
#pragma unroll
      for (int p = 0; p < Row::kPieces; ++p) {
        const int piece = g * Row::kPieces + p;
        if (!row.has(piece)) continue;
        store_piece<Width>(task.grad, task.grad_in_pieces, begin + piece * step, first + p * Width);
      }
    }
  };
  if (task.grad.given()) {
    if (exact) {
      store_gradient(slope_of);
    } else {
      store_gradient([&](T first, T second) {
        const ClassTerms<T> terms = rough_terms(first, second, tops, inverse_temperature);
        return far_slope(terms.first, terms.second, form);
      });
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_ROWS_CUH
