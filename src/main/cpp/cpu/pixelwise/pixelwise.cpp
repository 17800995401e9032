// cpu/pixelwise/pixelwise.cpp: the pixel-wise loss, one pass over the logits. Truth:
// reference/pixelwise.cpp.
//
// Work is cut into tiles of pixels (tiles.h), into which rows of classes are turned over
// (turned.h); or, where rows are long, into rows (rows.h).
#include <omp.h>

#include "core/error.h"
#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/kernels.h"
#include "cpu/pixelwise/rows.h"
#include "cpu/pixelwise/tiles.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Computes the loss; Cut is PixelTiles or PixelRows.
template <structkd_divergence Kind, class Cut>
double sum_of_divergences(const Cut& cut, double grad_scale, int threads) {
#pragma omp parallel num_threads(threads)
  {
    const int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
    cut.template run<Kind>(grad_scale, cut.count * thread / team, cut.count * (thread + 1) / team);
  }
  double sum = 0.0;
  for (int64_t t = 0; t < cut.count; ++t) sum += cut.sums[t];
  return sum;
}

template <class Cut>
void run(const Launch& launch, const PixelwiseArgs& args, const Cut& cut) {
  const PixelwiseScales scales = pixelwise_scales(args, count_valid(args, launch.threads));
  double sum = 0.0;
  switch (args.divergence) {
    case STRUCTKD_DIVERGENCE_CROSS_ENTROPY:
      sum = sum_of_divergences<STRUCTKD_DIVERGENCE_CROSS_ENTROPY>(cut, scales.grad, launch.threads);
      break;
    case STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT:
      sum = sum_of_divergences<STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT>(cut, scales.grad,
                                                                       launch.threads);
      break;
    case STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER:
      sum = sum_of_divergences<STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER>(cut, scales.grad,
                                                                       launch.threads);
      break;
  }
  store_loss(args.loss, args.student.dtype, scales.value * sum);
  char cuts[64];
  cut.describe(cuts, sizeof(cuts));
  set_plan("pixelwise: cpu, one pass, %s, %d threads, %s",
           args.student.dtype == STRUCTKD_F64 ? "f64" : "f32", launch.threads, cuts);
}

// Calls use(cut) with how the work is cut.
template <class T, class Use>
void with_cut_of(const Launch& launch, const PixelwiseArgs& args, void* memory, Use&& use) {
  Workspace workspace(memory);
  const bool rows = prefers_rows(args);
  if (rows && args.student.C >= kLongRow<T>) {
    const PixelRows<T> cut(args, launch.threads, workspace);
    use(cut, workspace);
  } else {
    const PixelTiles<T> cut(args, rows, launch.threads, workspace);
    use(cut, workspace);
  }
}

template <class Use>
void with_cut(const Launch& launch, const PixelwiseArgs& args, void* memory, Use&& use) {
  if (args.student.dtype == STRUCTKD_F64) {
    with_cut_of<double>(launch, args, memory, use);
  } else {
    with_cut_of<float>(launch, args, memory, use);
  }
}

}  // namespace

size_t pixelwise_workspace(const Launch& launch, const PixelwiseArgs& args) {
  size_t bytes = 0;
  with_cut(launch, args, nullptr,
           [&](const auto&, const Workspace& workspace) { bytes = workspace.bytes(); });
  return bytes;
}

void pixelwise(const Launch& launch, const PixelwiseArgs& args, void* workspace) {
  with_cut(launch, args, workspace,
           [&](const auto& cut, const Workspace&) { run(launch, args, cut); });
}

}  // namespace structkd::cpu::STRUCTKD_ISA
