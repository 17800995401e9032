// cuda/pixelwise/classes.cuh: what the classes of a pixel add to its divergence and its gradient.
// The formulas of cpu/pixelwise/tile.h, which explains them, one class at a time:
//
//   a, b = logits / temperature of the distribution q in front and of the other, p, less their
//   maxima; d = a - b,  m = sum q d,  delta = d - m,  phi(x) = e^-x - 1 + x,  F = sum q phi(delta)
//   KL(q, p) = log(1 + F), or m + log(sum e^b / sum e^a) where that is above log 2
#ifndef STRUCTKD_CUDA_PIXELWISE_CLASSES_CUH
#define STRUCTKD_CUDA_PIXELWISE_CLASSES_CUH

#include "core/divergence.h"
#include "cuda/common/math.cuh"
#include "structkd/pixelwise.h"

namespace structkd::cuda {
namespace {

// The largest logits of a pixel.
template <class T>
struct Tops {
  T first, second;
};

// Stands for an infinite delta: it is larger than any |delta| of a class that matters, and 0 times
// it is 0.
constexpr float kNoWeight = -1e4f;

template <class T>
struct ClassTerms {
  T first, second;  // e^a, e^b
  T gap;            // d
  T cross;          // -e^a b, of the cross entropy
};

template <class T>
__device__ __forceinline__ ClassTerms<T> class_terms(T first,
                                                     T second,
                                                     const Tops<T>& top,
                                                     T inverse_temperature) {
  // a - b, but without the rounding of a and b: their difference may be far smaller than they.
  const Difference<T> tops = exact_difference(top.first, top.second);
  const Difference<T> logits = exact_difference(first, second);
  const T d = ((logits.rounded - tops.rounded) + (logits.lost - tops.lost)) * inverse_temperature;
  const T a = (first - top.first) * inverse_temperature;
  const T b = (second - top.second) * inverse_temperature;
  ClassTerms<T> terms;
  terms.first = exponential(a);
  terms.second = exponential(b);
  // An infinite logit has no exact difference, and a class of weight 0 may not make 0 * inf. A NaN
  // has a weight of NaN.
  terms.gap = terms.first == T(0) ? T(kNoWeight) : terms.second > T(0) ? d : a - b;
  terms.cross = terms.first == T(0) ? T(0) : -terms.first * b;
  return terms;
}

// Sums over the classes of a pixel.
template <class T>
struct ClassSums {
  T first, second, gap, cross;  // gap: sum e^a d

  __device__ __forceinline__ void add(const ClassTerms<T>& terms) {
    first += terms.first;
    second += terms.second;
    gap += terms.first * terms.gap;
    cross += terms.cross;
  }
  __device__ __forceinline__ void add(const ClassSums& other) {
    first += other.first;
    second += other.second;
    gap += other.gap;
    cross += other.cross;
  }
};

// Which form of the divergence a pixel takes, and what its classes need for it.
template <class T>
struct PixelForm {
  T inverse;  // of sum e^a
  T mean;     // m
  T factor;   // times e^b: p (1 + F) where the pixel is close, else p
  T limit;    // of delta^2, for the series of phi; below 0 where the pixel is not close
  bool close;

  __device__ __forceinline__ explicit PixelForm(const ClassSums<T>& sums) {
    inverse = T(1) / sums.first;
    mean = sums.gap * inverse;
    const T growth = exponential(mean);
    close = growth * sums.second * inverse <= T(2);  // e^KL
    factor = close ? growth * inverse : T(1) / sums.second;
    limit = close ? T(1) : T(-1);
  }
};

// What a class gives to the derivative by its logit / temperature, (slope - shrink * weight) *
// stretch.
template <class T>
struct ClassSlope {
  T weight;  // q
  T slope;
  T excess;  // its addend in F
};

template <class T>
__device__ __forceinline__ ClassSlope<T> class_slope(
    T first, T second, T gap, const PixelForm<T>& form, bool student_first) {
  const T delta = gap - form.mean, square = delta * delta;
  const T q = first * form.inverse, q_delta = q * delta;
  const T near = q * (square * Phi<T>::over_square(delta));
  const T far = second * form.factor - q;
  const bool is_near = square < form.limit;
  return {q,
          student_first ? q_delta
          : is_near     ? near - q_delta
                        : far,
          is_near ? near : far + q_delta};
}

// The value at a pixel. excess: F.
template <class T>
__device__ __forceinline__ T divergence_value(structkd_divergence kind,
                                              const ClassSums<T>& sums,
                                              const PixelForm<T>& form,
                                              T excess) {
  if (kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY) {
    return sums.cross / sums.first + logarithm(sums.second);
  }
  return form.close ? logarithm_of_one_plus(excess)
                    : form.mean + logarithm(sums.second * form.inverse);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_CLASSES_CUH
