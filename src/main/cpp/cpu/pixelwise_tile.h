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
// student and teacher differ by 1e-3. The second form takes twice the time, so a vector of pixels
// goes without unless one of them is close.
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

// `first` is the distribution in front of the divergence, the one that weighs its terms; `second`
// the other one.
template <class T>
struct PixelTile {
  int64_t K, stride;
  // [K, stride] logits, the pixels innermost.
  T* first;
  T* second;
  // [K, kLanes] of the vector of pixels at work.
  T* e_first;   // e^a
  T* e_second;  // e^b, then what differences() makes of it
  T* gap;       // d

  static int64_t elements(int64_t K, int64_t stride) { return 2 * K * stride + 3 * K * kLanes<T>; }

  PixelTile(int64_t K, int64_t stride, T* memory)
      : K(K),
        stride(stride),
        first(memory),
        second(first + K * stride),
        e_first(second + K * stride),
        e_second(e_first + K * kLanes<T>),
        gap(e_second + K * kLanes<T>) {}
};

// Per pixel sums over the classes.
template <class T>
struct ClassSums {
  Vector<T> first, second;  // sum e^a, sum e^b
  Vector<T> gap;            // sum e^a d / ln 2
  Vector<T> cross;          // -sum e^a b / ln 2, for the cross entropy
};

// Classes that are summed before they join the sum of all: in f32 a sum of 1000 numbers in one go
// would cost three more bits.
constexpr int64_t kClassBlock = 16;

template <class T>
inline void add_part(ClassSums<T>& sums, const ClassSums<T>& part) {
  sums.first += part.first;
  sums.second += part.second;
  sums.gap += part.gap;
  sums.cross += part.cross;
}

constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2 = 0x1.62e42fefa39efp-1;

// Larger than any |delta| of a class that matters, and 0 times it is 0.
constexpr double kNoWeight = -1e4;

// The largest logits of a vector of pixels.
template <class T>
struct Tops {
  Vector<T> first, second;
};

template <class T>
inline Tops<T> largest_logits(const PixelTile<T>& tile, int64_t i) {
  const T *first = tile.first + i, *second = tile.second + i;
  Tops<T> tops{load(first), load(second)};
  for (int64_t c = 1; c < tile.K; ++c) {
    first += tile.stride;
    second += tile.stride;
    tops.first = vector_max<T>(load(first), tops.first);
    tops.second = vector_max<T>(load(second), tops.second);
  }
  return tops;
}

// Fills e_first and e_second. Finite: no logit of these pixels is infinite.
template <class T, bool WantCross, bool Finite>
inline ClassSums<T> exponentials(const PixelTile<T>& tile,
                                 int64_t i,
                                 const Tops<T>& tops,
                                 double temperature) {
  const T scale = T(kLog2E / temperature);
  const T *first = tile.first + i, *second = tile.second + i;
  T *e_first = tile.e_first, *e_second = tile.e_second;
  ClassSums<T> sums{};
  for (int64_t c0 = 0; c0 < tile.K; c0 += kClassBlock) {
    ClassSums<T> part{};
    for (int64_t c = c0; c < smaller(c0 + kClassBlock, tile.K); ++c) {
      const Vector<T> a = (load(first) - tops.first) * scale;
      const Vector<T> b = (load(second) - tops.second) * scale;
      const Vector<T> ea = vector_exp2<T>(a), eb = vector_exp2<T>(b);
      Vector<T> d = a - b, ea_b = ea * b;
      if (!Finite) {  // a class of weight 0 may not make 0 * inf
        d = choose<T>(ea > T(0), d, broadcast(T(kNoWeight)));
        ea_b = choose<T>(ea > T(0), ea_b, Vector<T>{});
      }
      part.first += ea;
      part.second += eb;
      part.gap += ea * d;
      if (WantCross) part.cross -= ea_b;
      store(e_first, ea);
      store(e_second, eb);
      first += tile.stride;
      second += tile.stride;
      e_first += kLanes<T>;
      e_second += kLanes<T>;
    }
    add_part(sums, part);
  }
  return sums;
}

// Fills gap with a - b, but without the rounding of a and b: their difference may be far smaller
// than they. Returns sum e^a d.
template <class T>
inline Vector<T> exact_gaps(const PixelTile<T>& tile,
                            int64_t i,
                            const Tops<T>& tops,
                            T inverse_temperature) {
  const Difference<Vector<T>> top = exact_difference(tops.first, tops.second);
  const T *first = tile.first + i, *second = tile.second + i, *e_first = tile.e_first;
  T* gap = tile.gap;
  Vector<T> sum = {};
  for (int64_t c0 = 0; c0 < tile.K; c0 += kClassBlock) {
    Vector<T> part = {};
    for (int64_t c = c0; c < smaller(c0 + kClassBlock, tile.K); ++c) {
      const Vector<T> ea = load(e_first), a = load(first), b = load(second);
      const Difference<Vector<T>> logits = exact_difference(a, b);
      Vector<T> d = (logits.rounded - top.rounded) + (logits.lost - top.lost);
      // An infinite logit has no exact difference.
      d = choose<T>(d == d, d, (a - tops.first) - (b - tops.second)) * inverse_temperature;
      d = choose<T>(ea > T(0), d, broadcast(T(kNoWeight)));
      part += ea * d;
      store(gap, d);
      first += tile.stride;
      second += tile.stride;
      e_first += kLanes<T>;
      gap += kLanes<T>;
    }
    sum += part;
  }
  return sum;
}

// What is found of a vector of pixels.
template <class T>
struct PixelResult {
  Vector<T> mean;    // m
  Vector<T> excess;  // F, or -1 where the first form of KL is the exact one
  // The derivative by logits / temperature is e_second * grow - e_first * shrink.
  Vector<T> grow, shrink;
};

// e^KL up to which a pixel counts as close. The first form of KL is beyond it at most 8 times as
// much in error as KL = 1 would be, and of p - q half of the bits of p are left at least.
constexpr double kClose = 1.125;

// Pixels of which some are close: e_second becomes the derivative up to the sum F that is not known
// before the end. growth is e^KL.
template <class T, bool StudentFirst>
inline PixelResult<T> differences(const PixelTile<T>& tile,
                                  const ClassSums<T>& sums,
                                  Vector<T> mean,
                                  Vector<T> growth,
                                  Integers<T> close) {
  const T *e_first = tile.e_first, *gap = tile.gap;
  T* e_second = tile.e_second;
  const Vector<T> one = broadcast(T(1)), inverse = one / sums.first;
  // p (1 + F) where the pixel is close, else p: times e^b.
  const Vector<T> factor = choose<T>(close, growth, one) / sums.second;
  const Vector<T> limit = choose<T>(close, one, -one);  // no square is below -1

  Vector<T> excess = {};
  for (int64_t c0 = 0; c0 < tile.K; c0 += kClassBlock) {
    Vector<T> part = {};
    for (int64_t c = c0; c < smaller(c0 + kClassBlock, tile.K); ++c) {
      const Vector<T> delta = load(gap) - mean, square = delta * delta;
      const Vector<T> q = load(e_first) * inverse, q_delta = q * delta;
      const Vector<T> near = q * (square * Phi<T>::over_square(delta));
      const Vector<T> far = load(e_second) * factor - q;
      const Integers<T> is_near = square < limit;
      part += choose<T>(is_near, near, far + q_delta);
      store(e_second, StudentFirst ? q_delta : choose<T>(is_near, near - q_delta, far));
      e_first += kLanes<T>;
      e_second += kLanes<T>;
      gap += kLanes<T>;
    }
    excess += part;
  }

  const Vector<T> shrink = StudentFirst ? Vector<T>{} : choose<T>(close, excess, Vector<T>{});
  const Vector<T> grow = one / (one + shrink);
  return {mean, choose<T>(close, excess, -one), grow, shrink * inverse * grow};
}

// Divergence and derivative of a vector of pixels.
template <class T, bool StudentFirst>
inline PixelResult<T> compare(const PixelTile<T>& tile,
                              int64_t i,
                              const Tops<T>& tops,
                              const ClassSums<T>& sums,
                              double temperature) {
  const Vector<T> one = broadcast(T(1)), mean = sums.gap / sums.first;
  const Vector<T> growth = vector_exp2<T>(mean) * sums.second / sums.first;
  const Integers<T> close = growth <= T(kClose);
  if (StudentFirst || any<T>(close)) {
    const Vector<T> exact = exact_gaps(tile, i, tops, T(1.0 / temperature)) / sums.first;
    return differences<T, StudentFirst>(tile, sums, exact, growth, close);
  }
  return {mean * T(kLn2), -one, one / sums.second, one / sums.first};
}

// The derivative times scale in place of the logits of `second`.
template <class T>
inline void write_grad(const PixelTile<T>& tile, int64_t i, const PixelResult<T>& result, T scale) {
  const Vector<T> grow = result.grow * scale, shrink = result.shrink * scale;
  const T *e_first = tile.e_first, *e_second = tile.e_second;
  T* out = tile.second + i;
  for (int64_t c = 0; c < tile.K; ++c) {
    store(out, Vector<T>(load(e_second) * grow - load(e_first) * shrink));
    e_first += kLanes<T>;
    e_second += kLanes<T>;
    out += tile.stride;
  }
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
      addend[i + lane] = kLn2 * double(cross[lane]) / double(first[lane]);
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
