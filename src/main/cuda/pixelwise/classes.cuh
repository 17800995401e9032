// cuda/pixelwise/classes.cuh: what the classes of a pixel add to its divergence and its gradient.
// The formulas of cpu/pixelwise/tile.h, which explains them, one class at a time:
//
//   a, b = logits / temperature of the distribution q in front and of the other, p, less their
//   maxima; d = a - b,  m = sum q d,  delta = d - m,  phi(x) = e^-x - 1 + x,  F = sum q phi(delta)
//   KL(q, p) = log(1 + F), or m + log(sum e^b / sum e^a) where that is above log kCloseRatio
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

// Lies below every logit that has a weight, and is finite, so that no inf - inf arises.
__device__ __forceinline__ float lowest(float) { return -3.402823466e38f; }
__device__ __forceinline__ double lowest(double) { return -1.7976931348623157e308; }

template <class T>
struct ClassTerms {
  T first, second;  // e^a, e^b
  T gap;            // d
  T log_second;     // b as Powers has it, of the cross entropy; 0 where e^a is
};

// Where only the pixel's form is to be found: d has the roundings of a and b.
template <class T>
__device__ __forceinline__ ClassTerms<T> rough_terms(T first,
                                                     T second,
                                                     const Tops<T>& top,
                                                     T inverse_temperature) {
  const T per_logit = inverse_temperature * Powers<T>::kPerNatural;
  const T a = (first - top.first) * per_logit, b = (second - top.second) * per_logit;
  ClassTerms<T> terms;
  terms.first = Powers<T>::of(a);
  terms.second = Powers<T>::of(b);
  // A class of weight 0 may not make 0 * inf. A NaN is in the weight.
  const bool weighs = terms.first > T(0);
  terms.gap = weighs ? (a - b) * Powers<T>::kNatural : T(kNoWeight);
  terms.log_second = weighs ? b : T(0);
  return terms;
}

template <class T>
__device__ __forceinline__ ClassTerms<T> class_terms(T first,
                                                     T second,
                                                     const Tops<T>& top,
                                                     T inverse_temperature) {
  ClassTerms<T> terms = rough_terms(first, second, top, inverse_temperature);
  // a - b, but without the rounding of a and b: their difference may be far smaller than they.
  const Difference<T> tops = exact_difference(top.first, top.second);
  const Difference<T> logits = exact_difference(first, second);
  // What the rounding of an infinite difference lost is NaN; the difference stays infinite.
  const T lost = smaller(logits.lost, -lowest(T(0))) - tops.lost;
  const T gap = ((logits.rounded - tops.rounded) + lost) * inverse_temperature;
  terms.gap = terms.first > T(0) ? gap : T(kNoWeight);
  return terms;
}

// Sums over the classes of a pixel.
template <class T>
struct ClassSums {
  T first, second, gap, cross;  // gap: sum e^a d; cross: sum e^a b, b as Powers has it

  __device__ __forceinline__ void add(const ClassTerms<T>& terms) {
    first += terms.first;
    second += terms.second;
    gap = fused(terms.first, terms.gap, gap);
    cross = fused(terms.first, terms.log_second, cross);
  }
  __device__ __forceinline__ void add(const ClassSums& other) {
    first += other.first;
    second += other.second;
    gap += other.gap;
    cross += other.cross;
  }
};

// e^KL up to which a pixel counts as close, for which cpu/pixelwise/tile.h has the reason; further
// than there, as Powers are less exact.
constexpr double kCloseRatio = 1.5;

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
    close = growth * sums.second * inverse <= T(kCloseRatio);  // e^KL
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
  const T far = fused(second, form.factor, -q);
  const bool is_near = square < form.limit;
  return {q,
          student_first ? q_delta
          : is_near     ? near - q_delta
                        : far,
          is_near ? near : far + q_delta};
}

// The same bits for a class of a pixel that is not close, where the teacher is in front. F is not
// asked for.
template <class T>
__device__ __forceinline__ ClassSlope<T> far_slope(T first, T second, const PixelForm<T>& form) {
  const T q = first * form.inverse;
  return {q, fused(second, form.factor, -q), T(0)};
}

// The value at a pixel. excess: F. One logarithm: log(1 + F) is that of the rounded sum and what its
// rounding lost, whose factor 1 / (1 + F) is less than the rounding of F.
template <class T>
__device__ __forceinline__ T divergence_value(structkd_divergence kind,
                                              const ClassSums<T>& sums,
                                              const PixelForm<T>& form,
                                              T excess) {
  if (kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY) {
    return logarithm(sums.second) - sums.cross * form.inverse * Powers<T>::kNatural;
  }
  const T ratio = form.close ? T(1) + excess : sums.second * form.inverse;
  return logarithm(ratio) + (form.close ? excess - (ratio - T(1)) : form.mean);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_CLASSES_CUH
