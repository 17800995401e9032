// cpu/pixelwise_tile.h: the pixel-wise divergence of a tile of pixels, a vector of pixels at a
// time.
//
// With a, b = logits / temperature of the distribution q in front and of the other, p, each less
// its maximum; d = a - b, m = sum q d, delta = d - m:
//   KL(q, p) = m + log(sum e^b / sum e^a)      right where KL is not small
//            = log(1 + F), F = sum q phi(delta), phi(x) = e^-x - 1 + x >= 0: nothing cancels
//   p - q    = q (phi(delta) - delta - F) / (1 + F), the gradient with the teacher in front
//   q delta  the gradient with the student in front
// The first form of KL is a difference of two numbers near log K: in f32 nothing is left of it when
// student and teacher differ by 1e-3.
#ifndef STRUCTKD_CPU_PIXELWISE_TILE_H
#define STRUCTKD_CPU_PIXELWISE_TILE_H

#include "core/divergence.h"
#include "cpu/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Most pixels of a tile: a row of 2 KB in f32. Each row starts anew with what the processor reads
// ahead; with rows of 512 bytes an image beyond the last cache took 1.3 times as long (Cascade
// Lake). The fewest are one AVX-512 register of f32.
constexpr int64_t kMaxPixels = 512, kMinPixels = 16;

// An odd number of cache lines from class to class: a vector of pixels with all its classes then
// spreads over all sets of the first cache.
template <class T>
inline int64_t tile_stride(int64_t pixels) {
  return round_up(pixels, 128 / int64_t(sizeof(T))) + 64 / int64_t(sizeof(T));
}

// The pixels of a tile are innermost: buffer[c * stride + i]. `first` is the distribution in front
// of the divergence, the one that weighs its terms; `second` the other one.
template <class T>
struct PixelTile {
  int64_t K, stride;
  // [K, stride]. Logits at first, see exponentials() and differences() for what they become.
  T* first;
  T* second;
  T* gap;
};

// Per pixel sums over the classes; e^a and e^b are the exponentials of `first` and `second`.
template <class T>
struct ClassSums {
  Vector<T> first, second;  // sum e^a, sum e^b
  Vector<T> gap;            // sum e^a d
  Vector<T> cross;          // -sum e^a b, for the cross entropy
};

// Classes that are summed before they join the sum of all: in f32 a sum of 1000 numbers in one go
// would cost three more bits.
constexpr int64_t kClassBlock = 16;

template <class T>
inline void add_part(ClassSums<T>& sums, ClassSums<T>& part) {
  sums.first += part.first;
  sums.second += part.second;
  sums.gap += part.gap;
  sums.cross += part.cross;
  part = ClassSums<T>{};
}

// Larger than any |delta| of a class that matters, and 0 times it is 0.
constexpr double kNoWeight = -1e4;

// What is taken off the logits of a vector of pixels.
template <class T>
struct Tops {
  Vector<T> first, second;
  bool finite;  // all logits of these pixels are
};

template <class T>
inline Tops<T> largest_logits(const PixelTile<T>& tile, int64_t i) {
  const int64_t stride = tile.stride;
  const T *const firsts = tile.first + i, *const seconds = tile.second + i;
  Tops<T> top{load(firsts), load(seconds), true};
  Vector<T> zero = T(0) * top.first + T(0) * top.second;  // NaN once a logit is not finite
  for (int64_t c = 1; c < tile.K; ++c) {
    const Vector<T> first = load(firsts + c * stride), second = load(seconds + c * stride);
    top.first = vector_max<T>(first, top.first);
    top.second = vector_max<T>(second, top.second);
    zero += T(0) * first;
    zero += T(0) * second;
  }
  T sum = T(0);
  for (int lane = 0; lane < kLanes<T>; ++lane) sum += zero[lane];
  top.finite = sum == T(0);
  return top;
}

// Logits of a vector of pixels become: first e^a, second e^b, gap d. Finite: no logit is infinite.
template <class T, bool WantCross, bool Finite>
inline ClassSums<T> exponentials(const PixelTile<T>& tile,
                                 int64_t i,
                                 const Tops<T>& tops,
                                 T inverse_temperature) {
  const int64_t K = tile.K, stride = tile.stride;
  T *first = tile.first + i, *second = tile.second + i, *gap = tile.gap + i;
  const Difference<Vector<T>> top = exact_difference(tops.first, tops.second);
  ClassSums<T> sums{}, part{};
  for (int64_t c = 0; c < K; ++c) {
    if (c % kClassBlock == 0) add_part(sums, part);
    // a - b, but without the rounding of a and b: their difference may be far smaller than they.
    const Difference<Vector<T>> logits = exact_difference(load(first), load(second));
    Vector<T> d = (logits.rounded - top.rounded) + (logits.lost - top.lost);
    d *= inverse_temperature;
    const Vector<T> a = (load(first) - tops.first) * inverse_temperature;
    const Vector<T> b = (load(second) - tops.second) * inverse_temperature;
    const Vector<T> ea = vector_exp<T>(a), eb = vector_exp<T>(b);
    if (!Finite) {
      // An infinite logit has no exact difference, and a class of weight 0 may not make 0 * inf.
      d = choose<T>(eb > T(0), d, a - b);
      d = choose<T>(ea > T(0), d, broadcast(T(kNoWeight)));
    }
    part.first += ea;
    part.second += eb;
    part.gap += ea * d;
    if (WantCross) part.cross -= Finite ? ea * b : choose<T>(ea > T(0), ea * b, Vector<T>{});
    store(first, ea);
    store(second, eb);
    store(gap, d);
    first += stride;
    second += stride;
    gap += stride;
  }
  add_part(sums, part);
  return sums;
}

template <class T, bool WantCross>
inline ClassSums<T> exponentials(const PixelTile<T>& tile, int64_t i, T inverse_temperature) {
  const Tops<T> tops = largest_logits(tile, i);
  return tops.finite ? exponentials<T, WantCross, true>(tile, i, tops, inverse_temperature)
                     : exponentials<T, WantCross, false>(tile, i, tops, inverse_temperature);
}

// What differences() finds per pixel.
template <class T>
struct PixelResult {
  Vector<T> mean;    // m
  Vector<T> excess;  // F, or -1 where KL > log 2: there the other form is the exact one
  // The derivative by logits / temperature is (second - shrink * first) * stretch.
  Vector<T> shrink, stretch;
};

// Second pass over a vector of pixels: second becomes the derivative up to the sum F that is not
// known before the end.
template <class T, bool StudentFirst>
inline PixelResult<T> differences(const PixelTile<T>& tile, int64_t i, const ClassSums<T>& sums) {
  const int64_t K = tile.K, stride = tile.stride;
  const T *const first = tile.first + i, *const gap = tile.gap + i;
  T* const second = tile.second + i;
  const Vector<T> one = broadcast(T(1));
  const Vector<T> inverse = one / sums.first, mean = sums.gap * inverse;
  const Vector<T> growth = vector_exp<T>(mean);
  const Integers<T> close = growth * sums.second * inverse <= T(2);  // e^KL
  // p (1 + F) where the pixel is close, else p: times e^b.
  const Vector<T> factor = choose<T>(close, growth * inverse, one / sums.second);
  const Vector<T> limit = choose<T>(close, one, -one);  // no square is below -1

  Vector<T> excess = {}, part = {};
  for (int64_t c = 0; c < K; ++c) {
    if (c % kClassBlock == 0) {
      excess += part;
      part = Vector<T>{};
    }
    const Vector<T> delta = load(gap + c * stride) - mean, square = delta * delta;
    const Vector<T> q = load(first + c * stride) * inverse, q_delta = q * delta;
    const Vector<T> near = q * (square * Phi<T>::over_square(delta));
    const Vector<T> far = load(second + c * stride) * factor - q;
    const Integers<T> is_near = square < limit;
    part += choose<T>(is_near, near, far + q_delta);
    store(second + c * stride, StudentFirst ? q_delta : choose<T>(is_near, near - q_delta, far));
  }

  excess += part;
  const Vector<T> shrink = StudentFirst ? Vector<T>{} : choose<T>(close, excess, Vector<T>{});
  return {mean, choose<T>(close, excess, -one), shrink * inverse, one / (one + shrink)};
}

// Divergences of a tile from per-pixel results, summed over its valid pixels in a fixed order.
//   close  log(1 + F) = log(u) + (F - (u - 1)),  u = 1 + F rounded. The rounding should be divided
//          by u, but it counts only where u is nearly 1.
//   else   m + log(sum e^b / sum e^a)
template <class T>
struct PixelValues {
  double addend[kMaxPixels];
  double argument[kMaxPixels];

  void set_cross_entropy(int64_t i, const ClassSums<T>& sums) {
    T cross[kLanes<T>], first[kLanes<T>], second[kLanes<T>];
    store(cross, sums.cross);
    store(first, sums.first);
    store(second, sums.second);
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      addend[i + lane] = double(cross[lane]) / double(first[lane]);
      argument[i + lane] = double(second[lane]);
    }
  }

  void set_divergence(int64_t i, const ClassSums<T>& sums, const PixelResult<T>& result) {
    T mean[kLanes<T>], excess[kLanes<T>], first[kLanes<T>], second[kLanes<T>];
    store(mean, result.mean);
    store(excess, result.excess);
    store(first, sums.first);
    store(second, sums.second);
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      const double F = double(excess[lane]), u = 1.0 + F;
      const bool close = F >= 0.0;
      addend[i + lane] = close ? F - (u - 1.0) : double(mean[lane]);
      argument[i + lane] = close ? u : double(second[lane]) / double(first[lane]);
    }
  }

  // valid[i] is 0 or 1.
  double sum(const T* valid, int64_t pixels) {
    log_row(argument, pixels, argument);
    Vector<double> sums = {};
    for (int64_t i = 0; i < pixels; i += kLanes<double>) {
      double mask[kLanes<double>];
      for (int lane = 0; lane < kLanes<double>; ++lane) mask[lane] = double(valid[i + lane]);
      const Vector<double> value = load(addend + i) + load(argument + i);
      sums += choose<double>(load(mask) > 0.0, value, Vector<double>{});
    }
    double total = 0.0;
    for (int lane = 0; lane < kLanes<double>; ++lane) total += sums[lane];
    return total;
  }
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_TILE_H
