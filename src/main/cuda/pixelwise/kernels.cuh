// cuda/pixelwise/kernels.cuh: value and gradient of the pixel-wise loss, pixel by pixel, with the
// classes in registers or read again for each pass; and the sum over blocks. mapping.cuh says which
// thread does what. What pixelwise.cu says of the kernels holds here.
#ifndef STRUCTKD_CUDA_PIXELWISE_KERNELS_CUH
#define STRUCTKD_CUDA_PIXELWISE_KERNELS_CUH

#include "core/pixelwise_args.h"
#include "cuda/pixelwise/classes.cuh"
#include "cuda/pixelwise/mapping.cuh"
#include "cuda/pixelwise/running.cuh"
#include "cuda/pixelwise/valid.cuh"

namespace structkd::cuda {
namespace {

template <class Element>
struct PixelwiseTask {
  structkd_divergence divergence;
  Widened<Element> inverse_temperature;
  Widened<Element> grad_scale;   // still to be divided by the valid pixels where these are counted
  MapOf<Element> first, second;  // the distribution in front of the divergence; the other one
  GradOf<Element> grad;
  Plane mask;
  int64_t pixels;  // of an image
  int64_t blocks_per_image;
  const int64_t* valid_counts;  // [kCountBlocks], or nullptr: every pixel is valid
  double* sums;                 // [blocks]
  int kept_pieces;              // of each thread of a row, in shared memory (rows.cuh)
  bool grad_in_pieces;          // rows of the gradient are aligned, too
};

// Where a thread stands: its pixel and the first of its classes, of which it has `width` side by
// side.
template <class Element, class Mapping>
struct PixelPlace {
  int64_t b, n;
  bool inside, valid;
  const Element* first;
  const Element* second;

  __device__ __forceinline__ explicit PixelPlace(const PixelwiseTask<Element>& task,
                                                 int width = 1) {
    // Pixels of all images are counted, or those of the block's own.
    const int64_t count = Mapping::kOverImages ? task.first.B * task.pixels : task.pixels;
    const int64_t start =
        Mapping::kOverImages ? int64_t(blockIdx.x) : int64_t(blockIdx.x) % task.blocks_per_image;
    n = start * Mapping::kPixels + Mapping::pixel();
    inside = n < count;
    if (!inside) n = count - 1;  // something to read
    if (Mapping::kOverImages) {
      b = task.pixels == 1 ? n : n / task.pixels;
      n -= b * task.pixels;
    } else {
      b = int64_t(blockIdx.x) / task.blocks_per_image;
    }
    first = task.first.at(b, int64_t(Mapping::part()) * width, n);
    second = task.second.at(b, int64_t(Mapping::part()) * width, n);
    valid = inside;
    if (task.mask.data != nullptr) {
      valid = inside && plane_at<int>(task.mask, b, n, task.first.W) != 0;
    }
  }
};

template <class Mapping, class T>
__device__ __forceinline__ T meet_excess(T excess) {
  T values[1] = {excess};
  Mapping::meet(values, [](T a, T b) { return a + b; });
  return values[0];
}

template <class Mapping, class Element, class T>
__device__ __forceinline__ void store_block_sum(const PixelwiseTask<Element>& task,
                                                bool valid,
                                                T value) {
  const bool mine = valid && Mapping::part() == 0;
  const double sum = block_sum<Mapping::kThreads>(mine ? double(value) : 0.0);
  if (threadIdx.x == 0) task.sums[blockIdx.x] = sum;
}

// Turns a slope into the gradient of a logit. The scale is divided in T: f64 divisions per pixel
// would take longer than the classes where f64 is slow.
template <class T>
struct SlopeScale {
  T shrink, scale;

  template <class Element>
  __device__ __forceinline__ SlopeScale(const PixelwiseTask<Element>& task, bool close, T excess)
      : shrink(close && task.divergence != STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER ? excess : T(0)),
        scale(task.grad_scale) {
    // No valid pixel: the scale is not used.
    if (task.valid_counts != nullptr) scale /= T(sum_of_counts(task.valid_counts));
    scale *= T(1) / (T(1) + shrink);
  }
  __device__ __forceinline__ T gradient(T slope, T weight) const {
    return (slope - shrink * weight) * scale;
  }
};

// The kernel for Fewest .. Most classes, which keeps Most of them in registers per part.
template <class Element, class Mapping, int Fewest, int MostPerPart>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void pixelwise_registers_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kParts = Mapping::kParts;
  const int K = int(task.first.C), part = Mapping::part();
  const PixelPlace<Element, Mapping> place(task);
  // The compiler knows it for all but the last few, and tests nothing then.
  const auto has = [&](int i) { return (i + 1) * kParts <= Fewest || part + i * kParts < K; };

  T first[MostPerPart], second[MostPerPart], gap[MostPerPart];
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    first[i] = widen(place.first[i * kParts * task.first.stride_c]);
    second[i] = widen(place.second[i * kParts * task.second.stride_c]);
  }

  T top_first = T(-INFINITY), top_second = T(-INFINITY);
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    top_first = larger(top_first, first[i]);
    top_second = larger(top_second, second[i]);
  }
  const Tops<T> tops = meet_tops<Mapping>(top_first, top_second);

  const T inverse_temperature = task.inverse_temperature;
  ClassSums<T> part_sums = {};
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    const ClassTerms<T> terms = class_terms(first[i], second[i], tops, inverse_temperature);
    part_sums.add(terms);
    first[i] = terms.first;
    second[i] = terms.second;
    gap[i] = terms.gap;
  }
  const ClassSums<T> sums = meet_sums<Mapping>(part_sums);
  const PixelForm<T> form(sums);

  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  T part_excess = T(0);
  // A warp without a close pixel leaves out what only those need. No bit depends on its neighbours.
  if (student_first || __any_sync(kFullWarp, form.close)) {
#pragma unroll
    for (int i = 0; i < MostPerPart; ++i) {
      if (!has(i)) continue;
      const ClassSlope<T> slope = class_slope(first[i], second[i], gap[i], form, student_first);
      part_excess += slope.excess;
      first[i] = slope.weight;
      second[i] = slope.slope;
    }
  } else {
#pragma unroll
    for (int i = 0; i < MostPerPart; ++i) {
      if (!has(i)) continue;
      const ClassSlope<T> slope = far_slope(first[i], second[i], form);
      first[i] = slope.weight;
      second[i] = slope.slope;
    }
  }
  const T excess = meet_excess<Mapping>(part_excess);

  if (task.grad.given()) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t start = task.grad.offset(place.b, part, place.n);
#pragma unroll
    for (int i = 0; i < MostPerPart; ++i) {
      if (!has(i) || !place.inside) continue;
      // A choice and no product with 0: a pixel that is not valid may hold NaN.
      task.grad.store(start + i * kParts * task.grad.layout.stride_c,
                      place.valid ? scale.gradient(second[i], first[i]) : T(0));
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

// Classes that are summed before they join the sum of all: in f32 a sum of 1000 numbers in one go
// would cost three more bits.
constexpr int kClassBlock = 16;

// The kernel for any number of classes, of which it keeps nothing from pass to pass.
template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void pixelwise_reread_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kParts = Mapping::kParts;
  [[maybe_unused]] constexpr int kTogether =
      sizeof(T) == 8 ? 2 : 4;  // classes; more would spill f64
  const int64_t K = task.first.C, part = Mapping::part();
  const PixelPlace<Element, Mapping> place(task);
  const int64_t first_step = kParts * task.first.stride_c,
                second_step = kParts * task.second.stride_c;
  const int64_t count = part < K ? (K - part - 1) / kParts + 1 : 0;  // of this part

  T top_first = T(-INFINITY), top_second = T(-INFINITY);
#pragma unroll 8
  for (int64_t i = 0; i < count; ++i) {
    top_first = larger(top_first, T(widen(place.first[i * first_step])));
    top_second = larger(top_second, T(widen(place.second[i * second_step])));
  }
  const Tops<T> tops = meet_tops<Mapping>(top_first, top_second);

  const T inverse_temperature = task.inverse_temperature;
  const auto first_of = [&](int64_t i) { return T(widen(place.first[i * first_step])); };
  const auto second_of = [&](int64_t i) { return T(widen(place.second[i * second_step])); };
  const auto terms_of = [&](int64_t i) {
    return class_terms(first_of(i), second_of(i), tops, inverse_temperature);
  };
  ClassSums<T> part_sums = {};
  for (int64_t start = 0; start < count; start += kClassBlock) {
    ClassSums<T> block = {};
#pragma unroll kTogether
    for (int64_t i = start; i < start + kClassBlock; ++i) {
      if (i < count) block.add(terms_of(i));
    }
    part_sums.add(block);
  }
  const ClassSums<T> sums = meet_sums<Mapping>(part_sums);
  const PixelForm<T> form(sums);

  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const auto slope_of = [&](int64_t i) {
    const ClassTerms<T> terms = terms_of(i);
    return class_slope(terms.first, terms.second, terms.gap, form, student_first);
  };
  // As in the kernel above.
  const bool series = student_first || __any_sync(kFullWarp, form.close);
  T part_excess = T(0);
  for (int64_t start = 0; series && start < count; start += kClassBlock) {
    T block = T(0);
#pragma unroll kTogether
    for (int64_t i = start; i < start + kClassBlock; ++i) {
      if (i < count) block += slope_of(i).excess;
    }
    part_excess += block;
  }
  const T excess = meet_excess<Mapping>(part_excess);

  // Writes what slope(i) makes of the gradient.
  const auto store_gradient = [&](auto slope) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t start = task.grad.offset(place.b, part, place.n);
#pragma unroll kTogether
    for (int64_t i = 0; i < count; ++i) {
      if (!place.inside) continue;
      const ClassSlope<T> found = slope(i);
      task.grad.store(start + i * kParts * task.grad.layout.stride_c,
                      place.valid ? scale.gradient(found.slope, found.weight) : T(0));
    }
  };
  if (task.grad.given()) {
    if (series) {
      store_gradient(slope_of);
    } else {
      store_gradient([&](int64_t i) {
        const ClassTerms<T> terms =
            rough_terms(first_of(i), second_of(i), tops, inverse_temperature);
        return far_slope(terms.first, terms.second, form);
      });
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

constexpr int kSumThreads = 1024;

// One block makes the loss from the sums of all blocks.
__global__ __launch_bounds__(kSumThreads) void pixelwise_sum_kernel(const double* sums,
                                                                    int64_t count,
                                                                    double scale,
                                                                    const int64_t* valid_counts,
                                                                    void* loss,
                                                                    structkd_dtype dtype) {
  double sum = 0.0;
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < count; i += kSumThreads) sum += sums[i];
  sum = block_sum<kSumThreads>(sum);
  const int64_t valid = valid_counts != nullptr ? sum_of_counts(valid_counts) : 1;
  if (threadIdx.x == 0) store_loss(loss, dtype, valid == 0 ? 0.0 : scale * sum / double(valid));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_KERNELS_CUH
