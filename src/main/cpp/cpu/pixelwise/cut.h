// cpu/pixelwise/cut.h: the loss of a cut of rows or pixels, tile by tile (tiles.h) or row by row
// (rows.h). Also the channel-wise loss is one, with channels for pixels and positions for classes.
#ifndef STRUCTKD_CPU_PIXELWISE_CUT_H
#define STRUCTKD_CPU_PIXELWISE_CUT_H

#include <omp.h>

#include "core/backend.h"
#include "core/error.h"
#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/pixelwise/rows.h"
#include "cpu/pixelwise/tiles.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Value and gradient; Cut is PixelTiles or PixelRows.
template <structkd_divergence Kind, class Cut>
void run_cut(const char* loss, const Launch& launch, const PixelwiseArgs& args, const Cut& cut) {
  const PixelwiseScales scales = pixelwise_scales(args, count_valid(args, launch.threads));
#pragma omp parallel num_threads(launch.threads)
  {
    const int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
    cut.template run<Kind>(scales.grad, cut.count * thread / team, cut.count * (thread + 1) / team);
  }
  double sum = 0.0;
  for (int64_t t = 0; t < cut.count; ++t) sum += cut.sums[t];
  store_loss(args.loss, args.student.dtype, scales.value * sum);
  char cuts[64];
  cut.describe(cuts, sizeof(cuts));
  set_plan("%s: cpu, one pass, %s, %d threads, %s", loss,
           args.student.dtype == STRUCTKD_F64 ? "f64" : "f32", launch.threads, cuts);
}

// Calls use(cut, workspace) with how rows are cut: long ones stay rows, others are turned over.
template <class T, class Use>
void with_row_cut(const Launch& launch,
                  const PixelwiseArgs& args,
                  const NetRows& rows,
                  Workspace& workspace,
                  Use&& use) {
  if (args.student.C >= kLongRow<T>) {
    use(PixelRows<T>(args, rows, launch.threads, workspace), workspace);
  } else {
    use(PixelTiles<T>(args, &rows, launch.threads, workspace), workspace);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_CUT_H
