// cpu/pixelwise/tile.h: the pixel-wise divergence of a tile of pixels, a vector of pixels at a
// time; or of one pixel, whose classes fill the lanes.
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
#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Most pixels of a tile: a row of 1 KB in f32. Each row starts anew with what the processor reads
// ahead; with rows of 512 bytes an image beyond the last cache took 1.1 times as long, and longer
// ones gained nothing (Cascade Lake). The fewest are one AVX-512 register of f32.
constexpr int64_t kMaxPixels = 256, kMinPixels = 16;

// `first` is the distribution in front of the divergence, the one that weighs its terms; `second`
// the other one.
template <class T>
struct PixelTile {
  int64_t K, pixels, stride;
  // The logits [K, stride], the pixels innermost.
  T* first;
  T* second;
  // The arrays [K, kLanes] of the vector of pixels at work.
  T* e_first;   // e^a
  T* e_second;  // e^b, then what differences() makes of it
  T* gap;       // d

  // An odd number of cache lines from class to class: a vector of pixels with all its classes then
  // spreads over all sets of the first cache.
  static int64_t stride_of(int64_t pixels) {
    return round_up(pixels, 128 / int64_t(sizeof(T))) + 64 / int64_t(sizeof(T));
  }
  static int64_t elements(int64_t K, int64_t pixels) {
    return 2 * K * stride_of(pixels) + 3 * K * kLanes<T>;
  }

  PixelTile(int64_t K, int64_t pixels, T* memory)
      : K(K),
        pixels(pixels),
        stride(stride_of(pixels)),
        first(memory),
        second(first + K * stride),
        e_first(second + K * stride),
        e_second(e_first + K * kLanes<T>),
        gap(e_second + K * kLanes<T>) {}

  // `whole` vectors of neighbouring classes of one pixel, as if they were classes of a vector of
  // pixels: what is summed over them is then to be summed over the lanes, too.
  PixelTile(int64_t whole, const T* first, const T* second, T* e_first, T* e_second, T* gap)
      : K(whole),
        pixels(kLanes<T>),
        stride(kLanes<T>),
        first(const_cast<T*>(first)),  // only the tiles that own their logits are written
        second(const_cast<T*>(second)),
        e_first(e_first),
        e_second(e_second),
        gap(gap) {}
};

// The sums over the classes, per pixel.
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

// Stands for an infinite delta: it is larger than any |delta| of a class that matters, and 0 times
// it is 0.
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

// Fills e_first and e_second. Finite: no logit of these pixels is infinite. each_class() has work
// that needs none of the arithmetic units.
template <class T, bool WantCross, bool Finite, class EachClass>
inline ClassSums<T> exponentials(const PixelTile<T>& tile,
                                 int64_t i,
                                 const Tops<T>& tops,
                                 double temperature,
                                 EachClass&& each_class) {
  const T scale = T(kLog2E / temperature);
  const T *first = tile.first + i, *second = tile.second + i;
  T *e_first = tile.e_first, *e_second = tile.e_second;
  ClassSums<T> sums{};
  for (int64_t c0 = 0; c0 < tile.K; c0 += kClassBlock) {
    ClassSums<T> part{};
    for (int64_t c = c0; c < smaller(c0 + kClassBlock, tile.K); ++c) {
      each_class();
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
  // The divergence is value + log(second / first), where first and second are 1 if it is known as
  // value alone.
  Vector<T> value, first, second;
  // The derivative by logits / temperature is e_second * grow - e_first * shrink.
  Vector<T> grow, shrink;
};

// e^KL up to which a pixel counts as close. The first form of KL is beyond it at most 8 times as
// much in error as KL = 1 would be, and of p - q half of the bits of p are left at least.
constexpr double kClose = 1.125;

// log(1 + x) for 0 <= x <= 1/8 within about an ulp: 2 atanh(s), s = x / (2 + x) <= 1/17. What the
// series leaves out is s^8 / 9 = 1.6e-11 (f32) and s^16 / 17 = 1.2e-21 (f64) of it.
template <class T>
inline Vector<T> log_of_one_plus(Vector<T> x) {
  constexpr int kTerms = sizeof(T) == sizeof(float) ? 3 : 7;
  const Vector<T> s = x / (x + T(2)), square = s * s;
  Vector<T> sum = {};
  for (int n = kTerms; n > 0; --n) sum = (sum + T(1.0 / (2 * n + 1))) * square;
  return (s + s) + (s + s) * sum;
}

// What differences() needs of its pixels.
template <class T>
struct Closeness {
  Vector<T> inverse;  // of sum e^a
  Vector<T> factor;   // times e^b: p (1 + F) where the pixel is close, else p
  Vector<T> mean;     // m
  Vector<T> limit;    // of delta^2, for the series of phi; below 0 where the pixel is not close
};

// Pixels of which some are close: e_second becomes the derivative up to the sum F that is not known
// before the end. Returns F.
template <class T, bool StudentFirst>
inline Vector<T> differences(const PixelTile<T>& tile, const Closeness<T>& at) {
  const T *e_first = tile.e_first, *gap = tile.gap;
  T* e_second = tile.e_second;
  Vector<T> excess = {};
  for (int64_t c0 = 0; c0 < tile.K; c0 += kClassBlock) {
    Vector<T> part = {};
    for (int64_t c = c0; c < smaller(c0 + kClassBlock, tile.K); ++c) {
      const Vector<T> delta = load(gap) - at.mean, square = delta * delta;
      const Vector<T> q = load(e_first) * at.inverse, q_delta = q * delta;
      const Vector<T> near = q * (square * Phi<T>::over_square(delta));
      const Vector<T> far = load(e_second) * at.factor - q;
      const Integers<T> is_near = square < at.limit;
      part += choose<T>(is_near, near, far + q_delta);
      store(e_second, StudentFirst ? q_delta : choose<T>(is_near, near - q_delta, far));
      e_first += kLanes<T>;
      e_second += kLanes<T>;
      gap += kLanes<T>;
    }
    excess += part;
  }
  return excess;
}

// The classes of a vector of pixels, for compare(). A row of classes is RowClasses (rows.h).
template <class T>
struct PixelVector {
  const PixelTile<T>& tile;
  int64_t i;

  // The sum over all classes, from add(tile, i), which is that over the classes of one tile.
  template <class Add>
  Vector<T> sum(Add&& add) const {
    return add(tile, i);
  }
};

// Divergence and, if it is wanted, derivative of a vector of pixels.
template <class T, structkd_divergence Kind, class Classes>
inline PixelResult<T> compare(const Classes& classes,
                              const Tops<T>& tops,
                              const ClassSums<T>& sums,
                              double temperature,
                              bool want_grad) {
  constexpr bool kStudentFirst = Kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  constexpr bool kCross = Kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
  const Vector<T> one = broadcast(T(1));
  const Vector<T> inverse_first = one / sums.first, inverse_second = one / sums.second;
  const Vector<T> mean = sums.gap * inverse_first;
  const Vector<T> growth = vector_exp2<T>(mean) * sums.second * inverse_first;  // e^KL
  const Integers<T> close = growth <= T(kClose);
  PixelResult<T> result{mean * T(kLn2), sums.first, sums.second, inverse_second, inverse_first};
  if ((want_grad || !kCross) && (kStudentFirst || any<T>(close))) {
    const T inverse_temperature = T(1.0 / temperature);
    const Vector<T> exact = classes.sum([&](const PixelTile<T>& tile, int64_t i) {
      return exact_gaps(tile, i, tops, inverse_temperature);
    }) / sums.first;
    const Closeness<T> at = {inverse_first, choose<T>(close, growth, one) / sums.second, exact,
                             choose<T>(close, one, -one)};  // no square is below -1
    const Vector<T> excess = classes.sum(
        [&](const PixelTile<T>& tile, int64_t) { return differences<T, kStudentFirst>(tile, at); });
    const Vector<T> shrink = kStudentFirst ? Vector<T>{} : choose<T>(close, excess, Vector<T>{});
    const Vector<T> grow = one / (one + shrink);
    result = {choose<T>(close, log_of_one_plus<T>(excess), exact),
              choose<T>(close, one, sums.first), choose<T>(close, one, sums.second), grow,
              shrink * inverse_first * grow};
  }
  if (kCross) {
    result.value = sums.cross * T(kLn2) * inverse_first;
    result.first = one;
    result.second = sums.second;
  }
  return result;
}

// The derivative times scale, 0 in pixels that are not valid: a vector per class, `stride` apart.
template <class T>
inline void write_grad(const PixelTile<T>& tile,
                       const PixelResult<T>& result,
                       T scale,
                       Integers<T> valid,
                       T* out,
                       int64_t stride) {
  const Vector<T> grow = result.grow * scale, shrink = result.shrink * scale;
  const T *e_first = tile.e_first, *e_second = tile.e_second;
  for (int64_t c = 0; c < tile.K; ++c) {
    const Vector<T> grad = load(e_second) * grow - load(e_first) * shrink;
    // Chosen, not multiplied by 0: a pixel that is not valid may hold NaN.
    store(out, choose<T>(valid, grad, Vector<T>{}));
    e_first += kLanes<T>;
    e_second += kLanes<T>;
    out += stride;
  }
}

// The divergences of a tile, summed in a fixed order. Logarithms are taken of products over vectors
// of pixels: one per pixel would take a sixth of the time.
template <class T>
class DivergenceSum {
 public:
  DivergenceSum() { start_products(); }

  void add(const PixelResult<T>& result, Integers<T> valid) {
    const Vector<T> one = broadcast(T(1));
    T value[kLanes<T>], first[kLanes<T>], second[kLanes<T>];
    store(value, choose<T>(valid, result.value, Vector<T>{}));
    store(first, choose<T>(valid, result.first, one));
    store(second, choose<T>(valid, result.second, one));
    for (int l = 0; l < kLanes<T>; ++l) value_[l] += double(value[l]);
    for (int l = 0; l < kLanes<T>; ++l) first_[l] *= double(first[l]);
    for (int l = 0; l < kLanes<T>; ++l) second_[l] *= double(second[l]);
    if (++factors_ == kMostFactors) add_logarithms();
  }

  double total() {
    add_logarithms();
    double total = 0.0;
    for (int l = 0; l < kLanes<T>; ++l) total += value_[l];
    return total;
  }

 private:
  static constexpr int kMostFactors = 32;  // of at most the number of classes, below 2^31

  void start_products() {
    factors_ = 0;
    for (int l = 0; l < kLanes<T>; ++l) first_[l] = second_[l] = 1.0;
  }

  void add_logarithms() {
    for (int l = 0; l < kLanes<T>; l += kLanes<double>) {
      store(value_ + l, Vector<double>(load(value_ + l) + (vector_log(load(second_ + l)) -
                                                           vector_log(load(first_ + l)))));
    }
    start_products();
  }

  int factors_;
  // Per lane: the sum of values, the products of first and of second.
  double value_[kLanes<T>] = {}, first_[kLanes<T>], second_[kLanes<T>];
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_TILE_H
