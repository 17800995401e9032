// cpu/pixelwise.cpp: the pixel-wise loss, one pass over the logits. Truth: reference/pixelwise.cpp.
//
// A tile of pixels is read into buffers that stay in the second cache, turned into value and
// gradient there, and written: 12 bytes per f32 logit, no map in between.
#include <omp.h>

#include "core/error.h"
#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/access.h"
#include "cpu/kernels.h"
#include "cpu/pixelwise_tile.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The logits of a tile: half of a second-level cache of 512 KB. Fitting the first level instead
// was no faster with 19 classes and twice as slow with 150, where rows became too short (Zen 4).
constexpr int64_t kTileBytes = 256 << 10;

template <class T>
int64_t pixels_per_tile(int64_t K) {
  int64_t pixels = kMaxPixels;
  while (pixels > kMinPixels && 2 * K * pixels * int64_t(sizeof(T)) > kTileBytes) pixels /= 2;
  return pixels;
}

// How the work is cut, by shape alone, and where it is done.
template <class T>
struct PixelTiles {
  int64_t pixels, stride, per_image, count;
  T* buffers;    // a PixelTile per thread
  double* sums;  // per tile, added in tile order

  PixelTiles(const PixelwiseArgs& args, int threads, Workspace& workspace)
      : pixels(pixels_per_tile<T>(args.student.C)),
        stride(tile_stride<T>(pixels)),
        per_image(divide_up(args.student.H * args.student.W, pixels)),
        count(args.student.B * per_image) {
    buffers = workspace.take<T>(threads * PixelTile<T>::elements(args.student.C, stride));
    sums = workspace.take<double>(count);
  }

  PixelTile<T> tile_of_thread(int64_t K) const {
    return {K, stride, buffers + omp_get_thread_num() * PixelTile<T>::elements(K, stride)};
  }
};

// Pixels beyond the image, up to P, get logits 0, so that they cost no slow arithmetic, and are not
// valid.
template <class T>
void load_logits(
    const Map& logits, int64_t b, int64_t n0, int64_t count, int64_t P, int64_t stride, T* tile) {
  for (int64_t c = 0; c < logits.C; ++c) {
    T* row = tile + c * stride;
    load_row(logits, b, c, n0, count, row);
    for (int64_t i = count; i < P; ++i) row[i] = T(0);
  }
}

template <class T>
void load_valid(
    const PixelwiseArgs& args, int64_t b, int64_t n0, int64_t count, int64_t P, T* valid) {
  for (int64_t i = 0; i < P; ++i) valid[i] = i < count ? T(1) : T(0);
  if (args.mask.data == nullptr) return;
  for (int64_t i = 0; i < count; ++i) {
    valid[i] = plane_at<int>(args.mask, b, n0 + i, args.student.W) != 0 ? T(1) : T(0);
  }
}

// Whether the gradient goes past the caches. With 19 classes that took 0.9 of the time from 5 MB
// on, and 1.1 of it below 1 MB, where it stays in the second level (Cascade Lake).
template <class T>
bool streams(const Map& grad) {
  constexpr int64_t kBytes = 4 << 20;
  return grad.B * grad.C * grad.H * grad.W * int64_t(sizeof(T)) >= kBytes;
}

// Value and gradient of one tile; returns the sum of its divergences.
template <class T, structkd_divergence Kind>
double run_tile(const PixelwiseArgs& args,
                double grad_scale,
                int64_t b,
                int64_t n0,
                int64_t pixels,
                const PixelTile<T>& tile) {
  constexpr bool kCross = Kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
  constexpr bool kStudentFirst = Kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const int64_t count = smaller(pixels, args.student.H * args.student.W - n0);
  const int64_t P = round_up(count, kLanes<T>);
  load_logits(kStudentFirst ? args.student : args.teacher, b, n0, count, P, tile.stride,
              tile.first);
  load_logits(kStudentFirst ? args.teacher : args.student, b, n0, count, P, tile.stride,
              tile.second);
  T valid[kMaxPixels];
  load_valid(args, b, n0, count, P, valid);

  PixelValues<T> values;
  for (int64_t i = 0; i < P; i += kLanes<T>) {
    const Tops<T> tops = largest_logits(tile, i);
    ClassSums<T> sums = exponentials<T, kCross, true>(tile, i, tops, args.temperature);
    if (any<T>(sums.gap - sums.gap != T(0))) {  // infinite or NaN
      sums = exponentials<T, kCross, false>(tile, i, tops, args.temperature);
    }
    if (kCross) values.set_cross_entropy(i, sums);
    if (kCross && args.grad.data == nullptr) continue;
    const PixelResult<T> result = compare<T, kStudentFirst>(tile, i, tops, sums, args.temperature);
    if (!kCross) values.set_divergence(i, sums, result);
    if (args.grad.data != nullptr) write_grad(tile, i, result, T(grad_scale));
  }

  for (int64_t c = 0; args.grad.data && c < tile.K; ++c) {
    T* row = tile.second + c * tile.stride;
    // Chosen, not multiplied by 0: a pixel that is not valid may hold NaN.
    for (int64_t i = 0; args.mask.data && i < P; i += kLanes<T>) {
      store(row + i, choose<T>(load(valid + i) > T(0), load(row + i), Vector<T>{}));
    }
    if (streams<T>(args.grad)) {
      stream_row(args.grad, b, c, n0, count, row);
    } else {
      store_row(args.grad, b, c, n0, count, row);
    }
  }
  return values.sum(valid, P);
}

template <class T, structkd_divergence Kind>
double sum_of_divergences(const PixelwiseArgs& args,
                          double grad_scale,
                          int threads,
                          const PixelTiles<T>& tiles) {
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static) nowait
    for (int64_t t = 0; t < tiles.count; ++t) {
      const int64_t b = t / tiles.per_image, n0 = t % tiles.per_image * tiles.pixels;
      tiles.sums[t] = run_tile<T, Kind>(args, grad_scale, b, n0, tiles.pixels,
                                        tiles.tile_of_thread(args.student.C));
    }
    finish_streams();
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
