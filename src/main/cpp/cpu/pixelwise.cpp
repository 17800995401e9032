// cpu/pixelwise.cpp: the pixel-wise loss, one pass over the logits. Truth: reference/pixelwise.cpp.
//
// A tile of pixels is read into a buffer that stays in the second cache, turned into value and
// gradient there, and written: 12 bytes per f32 logit, no map in between. One tile is computed
// while the gradient of the one before is written and the logits of the next are read.
#include <omp.h>

#include "core/error.h"
#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/access.h"
#include "cpu/kernels.h"
#include "cpu/pixelwise_exchange.h"
#include "cpu/pixelwise_tile.h"

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

// How the work is cut, by shape and strides alone, and where it is done.
template <class T>
struct PixelTiles {
  int64_t K, N, pixels, per_image, count;
  T* buffers;    // two PixelTiles per thread: one is computed, the other exchanged
  double* sums;  // per tile, added in tile order

  PixelTiles(const PixelwiseArgs& args, int threads, Workspace& workspace)
      : K(args.student.C),
        N(args.student.H * args.student.W),
        pixels(pixels_per_tile<T>(args)),
        per_image(divide_up(N, pixels)),
        count(args.student.B * per_image) {
    buffers = workspace.take<T>(2 * threads * PixelTile<T>::elements(K, pixels));
    sums = workspace.take<double>(count);
  }

  Pixels pixels_of(int64_t t) const {
    const int64_t n0 = t % per_image * pixels;
    return {t / per_image, n0, smaller(pixels, N - n0)};
  }

  // Of the calling thread, i = 0 or 1.
  PixelTile<T> buffer(int64_t i) const {
    const int64_t n = 2 * omp_get_thread_num() + i;
    return {K, pixels, buffers + n * PixelTile<T>::elements(K, pixels)};
  }
};

template <class T>
void load_valid(const PixelwiseArgs& args, Pixels pixels, T* valid) {
  const int64_t P = round_up(pixels.count, kLanes<T>);
  for (int64_t i = 0; i < P; ++i) valid[i] = i < pixels.count ? T(1) : T(0);
  if (args.mask.data == nullptr) return;
  for (int64_t i = 0; i < pixels.count; ++i) {
    const int mask = plane_at<int>(args.mask, pixels.b, pixels.n0 + i, args.student.W);
    valid[i] = mask != 0 ? T(1) : T(0);
  }
}

// Value and gradient of one tile; returns the sum of its divergences. Another one is exchanged
// meanwhile.
template <class T, structkd_divergence Kind>
double run_tile(const PixelwiseArgs& args,
                double grad_scale,
                Pixels pixels,
                const PixelTile<T>& tile,
                Exchange<T>& exchange) {
  constexpr bool kCross = Kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
  const bool want_grad = args.grad.data != nullptr;
  T valid[kMaxPixels];
  load_valid(args, pixels, valid);

  DivergenceSum<T> divergences;
  for (int64_t i = 0; i < pixels.count; i += kLanes<T>) {
    const Tops<T> tops = largest_logits(tile, i);
    exchange.settle();
    ClassSums<T> sums =
        exponentials<T, kCross, true>(tile, i, tops, args.temperature, [&] { exchange.move(); });
    if (any<T>(sums.gap - sums.gap != T(0))) {  // infinite or NaN
      sums = exponentials<T, kCross, false>(tile, i, tops, args.temperature, [] {});
    }
    const PixelResult<T> result =
        compare<T, Kind>(tile, i, tops, sums, args.temperature, want_grad);
    const Integers<T> is_valid = load(valid + i) > T(0);
    divergences.add(result, is_valid);
    if (want_grad) write_grad(tile, i, result, T(grad_scale), is_valid);
  }
  return divergences.total();
}

// The tiles of one thread, first .. last-1. While tile t is computed, the gradient of t-1 leaves
// the other buffer and the logits of t+1 take its place.
template <class T, structkd_divergence Kind>
void run_tiles(const PixelwiseArgs& args,
               double grad_scale,
               const PixelTiles<T>& tiles,
               int64_t first,
               int64_t last) {
  constexpr bool kStudentFirst = Kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const Map& front = kStudentFirst ? args.student : args.teacher;
  const Map& other = kStudentFirst ? args.teacher : args.student;
  const PixelTile<T> buffers[2] = {tiles.buffer(0), tiles.buffer(1)};
  for (int64_t t = first - 1; t <= last; ++t) {
    const bool loads = t + 1 < last, stores = t > first && args.grad.data != nullptr;
    Exchange<T> exchange(front, other, args.grad, buffers[(t - first + 2) % 2],
                         stores ? tiles.pixels_of(t - 1) : Pixels{},
                         loads ? tiles.pixels_of(t + 1) : Pixels{});
    if (first <= t && t < last) {
      tiles.sums[t] = run_tile<T, Kind>(args, grad_scale, tiles.pixels_of(t),
                                        buffers[(t - first + 1) % 2], exchange);
    }
    exchange.finish();
  }
  finish_streams();
}

template <class T, structkd_divergence Kind>
double sum_of_divergences(const PixelwiseArgs& args,
                          double grad_scale,
                          int threads,
                          const PixelTiles<T>& tiles) {
#pragma omp parallel num_threads(threads)
  {
    const int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
    run_tiles<T, Kind>(args, grad_scale, tiles, tiles.count * thread / team,
                       tiles.count * (thread + 1) / team);
  }
  double sum = 0.0;
  for (int64_t t = 0; t < tiles.count; ++t) sum += tiles.sums[t];
  return sum;
}

int64_t count_valid(const PixelwiseArgs& args, int threads) {
  const int64_t N = args.student.H * args.student.W, rows = args.student.B * args.student.H;
  if (args.mask.data == nullptr) return args.student.B * N;
  int64_t valid = 0;  // an integer: the order of the additions does not matter
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : valid)
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t b = r / args.student.H, n0 = r % args.student.H * args.student.W;
    for (int64_t w = 0; w < args.student.W; ++w) {
      valid += plane_at<int>(args.mask, b, n0 + w, args.student.W) != 0;
    }
  }
  return valid;
}

template <class T>
void run(const Launch& launch, const PixelwiseArgs& args, void* memory) {
  Workspace workspace(memory);
  const PixelTiles<T> tiles(args, launch.threads, workspace);
  const PixelwiseScales scales = pixelwise_scales(args, count_valid(args, launch.threads));
  double sum = 0.0;
  switch (args.divergence) {
    case STRUCTKD_DIVERGENCE_CROSS_ENTROPY:
      sum = sum_of_divergences<T, STRUCTKD_DIVERGENCE_CROSS_ENTROPY>(args, scales.grad,
                                                                     launch.threads, tiles);
      break;
    case STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT:
      sum = sum_of_divergences<T, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT>(args, scales.grad,
                                                                          launch.threads, tiles);
      break;
    case STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER:
      sum = sum_of_divergences<T, STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER>(args, scales.grad,
                                                                          launch.threads, tiles);
      break;
  }
  store_loss(args.loss, args.student.dtype, scales.value * sum);
  set_plan("pixelwise: cpu, one pass, %s, %d threads, %lld tiles of %lld pixels",
           sizeof(T) == sizeof(double) ? "f64" : "f32", launch.threads,
           static_cast<long long>(tiles.count), static_cast<long long>(tiles.pixels));
}

}  // namespace

size_t pixelwise_workspace(const Launch& launch, const PixelwiseArgs& args) {
  Workspace workspace(nullptr);
  if (args.student.dtype == STRUCTKD_F64) {
    PixelTiles<double>(args, launch.threads, workspace);
  } else {
    PixelTiles<float>(args, launch.threads, workspace);
  }
  return workspace.bytes();
}

void pixelwise(const Launch& launch, const PixelwiseArgs& args, void* workspace) {
  if (args.student.dtype == STRUCTKD_F64) {
    run<double>(launch, args, workspace);
  } else {
    run<float>(launch, args, workspace);
  }
}

}  // namespace structkd::cpu::STRUCTKD_ISA
