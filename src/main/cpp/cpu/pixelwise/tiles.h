// cpu/pixelwise/tiles.h: the pixel-wise loss tile by tile. A tile is read into a buffer that stays
// in the second cache, turned into value and gradient there, and written: 12 bytes per f32 logit,
// no map in between. One tile is computed while the gradient of the one before is written and the
// logits of the next are read.
#ifndef STRUCTKD_CPU_PIXELWISE_TILES_H
#define STRUCTKD_CPU_PIXELWISE_TILES_H

#include <omp.h>
#include <stdio.h>

#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/pixelwise/exchange.h"
#include "cpu/pixelwise/rows.h"
#include "cpu/pixelwise/tile.h"
#include "cpu/pixelwise/turned.h"
#include "cpu/pixelwise/valid.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The logits of a tile: two tiles leave a third of a second-level cache of 1 MB. Half of it, with
// rows half as long, took 1.05 of the time with 150 classes (Cascade Lake).
constexpr int64_t kTileBytes = 320 << 10;

// Half as much where the classes of a pixel lie side by side: a tile of such maps must fit, too.
template <class T>
int64_t pixels_per_tile(const PixelwiseArgs& args) {
  const bool planes = is_plain<T>(args.student) && is_plain<T>(args.teacher);
  const int64_t most = (planes ? kTileBytes : kTileBytes / 2) / int64_t(2 * sizeof(T));
  int64_t pixels = kMaxPixels;
  while (pixels > kMinPixels && args.student.C * pixels > most) pixels /= 2;
  return pixels;
}

// Rows of a turned tile: few, so that a batch of some hundred rows employs several threads. 256 of
// them took 0.95 of the time with 10 classes and the same with 100 (Zen 4).
constexpr int64_t kTurnedPixels = 64;

// How the work is cut, by shape and strides alone, and where it is done. Where rows are given, they
// are turned over and go on from image to image; N counts the pixels after which a tile ends.
template <class T>
struct PixelTiles {
  const PixelwiseArgs& args;
  const NetRows* turned;
  int64_t K, N, pixels, per_image, count;
  T* buffers;    // two PixelTiles per thread: one is computed, the other exchanged
  double* sums;  // per tile, added in tile order

  PixelTiles(const PixelwiseArgs& args, const NetRows* turned, int threads, Workspace& workspace)
      : args(args),
        turned(turned),
        K(args.student.C),
        N(args.student.H * args.student.W * (turned ? args.student.B : 1)),
        pixels(turned ? kTurnedPixels : pixels_per_tile<T>(args)),
        per_image(divide_up(N, pixels)),
        count(turned ? per_image : args.student.B * per_image) {
    buffers = workspace.take<T>(2 * threads * PixelTile<T>::elements(K, pixels));
    sums = workspace.take<double>(count);
  }

  void describe(char* text, size_t size) const {
    snprintf(text, size, "%lld tiles of %lld %s", static_cast<long long>(count),
             static_cast<long long>(pixels), turned ? "rows" : "pixels");
  }

  Pixels pixels_of(int64_t t) const {
    const int64_t n0 = t % per_image * pixels;
    return {t / per_image, n0, smaller(pixels, N - n0)};
  }

  // One of the two buffers of the calling thread: i is 0 or 1.
  PixelTile<T> buffer(int64_t i) const {
    const int64_t n = 2 * omp_get_thread_num() + i;
    return {K, pixels, buffers + n * PixelTile<T>::elements(K, pixels)};
  }

  void load_valid(Pixels at, T* valid) const {
    const int64_t P = round_up(at.count, kLanes<T>);
    for (int64_t i = 0; i < P; ++i) valid[i] = i < at.count ? T(1) : T(0);
    if (args.mask.data == nullptr) return;
    const int64_t N = args.student.H * args.student.W;  // rows go on from image to image
    for (int64_t i = 0; i < at.count; ++i) {
      if (!is_valid(args, at.b + (at.n0 + i) / N, (at.n0 + i) % N)) valid[i] = T(0);
    }
  }

  // The tiles of one thread, first .. last-1.
  template <structkd_divergence Kind>
  void run(double grad_scale, int64_t first, int64_t last) const {
    if (turned) {
      run_tiles<Kind, TurnedExchange<T>>(turned->student, turned->teacher, turned->grad, grad_scale,
                                         first, last);
    } else {
      run_tiles<Kind, Exchange<T>>(args.student, args.teacher, args.grad, grad_scale, first, last);
    }
  }

 private:
  // While tile t is computed, the gradient of t-1 leaves the other buffer and the logits of t+1
  // take its place.
  template <structkd_divergence Kind, class Exchanged, class Logits>
  void run_tiles(const Logits& student,
                 const Logits& teacher,
                 const Logits& grad,
                 double grad_scale,
                 int64_t first,
                 int64_t last) const {
    constexpr bool kStudentFirst = Kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
    const Logits& front = kStudentFirst ? student : teacher;
    const Logits& other = kStudentFirst ? teacher : student;
    const PixelTile<T> tiles[2] = {buffer(0), buffer(1)};
    for (int64_t t = first - 1; t <= last; ++t) {
      const bool loads = t + 1 < last, stores = t > first && args.grad.data != nullptr;
      Exchanged exchange(front, other, grad, tiles[(t - first + 2) % 2],
                         stores ? pixels_of(t - 1) : Pixels{}, loads ? pixels_of(t + 1) : Pixels{});
      if (first <= t && t < last) {
        sums[t] = run_tile<Kind>(grad_scale, pixels_of(t), tiles[(t - first + 1) % 2], exchange);
      }
      exchange.finish();
    }
    finish_streams();
  }

  // Value and gradient of one tile; returns the sum of its divergences. Another one is exchanged
  // meanwhile.
  template <structkd_divergence Kind, class Exchanged>
  double run_tile(double grad_scale,
                  Pixels at,
                  const PixelTile<T>& tile,
                  Exchanged& exchange) const {
    constexpr bool kCross = Kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
    const bool want_grad = args.grad.data != nullptr;
    T valid[kMaxPixels];
    load_valid(at, valid);

    DivergenceSum<T> divergences;
    for (int64_t i = 0; i < at.count; i += kLanes<T>) {
      const Tops<T> tops = largest_logits(tile, i);
      exchange.settle();
      ClassSums<T> sums =
          exponentials<T, kCross, true>(tile, i, tops, args.temperature, [&] { exchange.move(); });
      if (any<T>(sums.gap - sums.gap != T(0))) {  // infinite or NaN
        sums = exponentials<T, kCross, false>(tile, i, tops, args.temperature, [] {});
      }
      const PixelResult<T> result =
          compare<T, Kind>(PixelVector<T>{tile, i}, tops, sums, args.temperature, want_grad);
      const Integers<T> is_valid = load(valid + i) > T(0);
      divergences.add(result, is_valid);
      if (want_grad) {
        write_grad(tile, result, T(grad_scale), is_valid, tile.second + i, tile.stride);
      }
    }
    return divergences.total();
  }
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_TILES_H
