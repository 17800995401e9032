// cuda/pixelwise/rows.cuh: value and gradient of the pixel-wise loss for rows of more classes than
// registers hold, a block per row. What pixelwise.cu says of kernels holds here.
//
// Each thread sums while it searches its largest logits: what it has found is scaled whenever it
// meets a larger one, and once more when the threads meet. So a row is read twice, for the sums and
// for the gradient, and the second time from the second cache if rows are short enough. Where the
// distributions are close, or the student is in front, m must be right to the last bits: it is then
// summed again from exact differences, and F after it.
#ifndef STRUCTKD_CUDA_PIXELWISE_ROWS_CUH
#define STRUCTKD_CUDA_PIXELWISE_ROWS_CUH

#include "cuda/pixelwise/kernels.cuh"
#include "cuda/pixelwise/running.cuh"

namespace structkd::cuda {
namespace {

template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads,
                             1) void pixelwise_rows_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kParts = Mapping::kParts;
  constexpr int kTogether = sizeof(T) == 8 ? 2 : 4;  // classes
  const int64_t K = task.first.C, part = Mapping::part();
  const PixelPlace<Element, Mapping> place(task);
  const int64_t first_step = kParts * task.first.stride_c,
                second_step = kParts * task.second.stride_c;
  const int64_t count = part < K ? (K - part - 1) / kParts + 1 : 0;  // of this part
  const T inverse_temperature = task.inverse_temperature;
  const auto first_of = [&](int64_t i) { return T(widen(place.first[i * first_step])); };
  const auto second_of = [&](int64_t i) { return T(widen(place.second[i * second_step])); };

  RunningSums<T> mine = RunningSums<T>::none();
  for (int64_t start = 0; start < count; start += kClassBlock) {
    RunningSums<T> block = {mine.tops, {}};
    for (int64_t i0 = start; i0 < start + kClassBlock && i0 < count; i0 += kTogether) {
      T first[kTogether], second[kTogether];
      Tops<T> tops = block.tops;
#pragma unroll
      for (int i = 0; i < kTogether; ++i) {
        if (i0 + i >= count) continue;
        first[i] = first_of(i0 + i);
        second[i] = second_of(i0 + i);
        tops.first = larger(tops.first, first[i]);
        tops.second = larger(tops.second, second[i]);
      }
      if (tops.first > block.tops.first || tops.second > block.tops.second) {
        block.move_to(tops, inverse_temperature);
      }
#pragma unroll
      for (int i = 0; i < kTogether; ++i) {
        if (i0 + i >= count) continue;
        block.sums.add(class_terms(first[i], second[i], tops, inverse_temperature));
      }
    }
    mine.move_to(block.tops, inverse_temperature);
    mine.sums.add(block.sums);
  }
  meet_running<Mapping>(mine, inverse_temperature);
  const Tops<T> tops = mine.tops;
  ClassSums<T> sums = mine.sums;

  // The sum over the row of what term(i) gives. All threads must call.
  const auto sum_over_row = [&](auto term) {
    T sum = T(0);
    for (int64_t start = 0; start < count; start += kClassBlock) {
      T block = T(0);
#pragma unroll kTogether
      for (int64_t i = start; i < start + kClassBlock; ++i) {
        if (i < count) block += term(i);
      }
      sum += block;
    }
    return meet_excess<Mapping>(sum);
  };
  const auto terms_of = [&](int64_t i) {
    return class_terms(first_of(i), second_of(i), tops, inverse_temperature);
  };
  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  // All threads decide alike, as their sums are equal.
  if (student_first || PixelForm<T>(sums).close) {
    sums.gap = sum_over_row([&](int64_t i) {
      const ClassTerms<T> terms = terms_of(i);
      return terms.first * terms.gap;
    });
  }
  const PixelForm<T> form(sums);
  const auto slope_of = [&](int64_t i) {
    const ClassTerms<T> terms = terms_of(i);
    return class_slope(terms.first, terms.second, terms.gap, form, student_first);
  };
  T excess = T(0);
  if (form.close) excess = sum_over_row([&](int64_t i) { return slope_of(i).excess; });

  if (task.grad.given()) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t start = task.grad.offset(place.b, part, place.n);
#pragma unroll kTogether
    for (int64_t i = 0; i < count; ++i) {
      const ClassSlope<T> slope = slope_of(i);
      task.grad.store(start + i * kParts * task.grad.layout.stride_c,
                      place.valid ? scale.gradient(slope.slope, slope.weight) : T(0));
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_ROWS_CUH
