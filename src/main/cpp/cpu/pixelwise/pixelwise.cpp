// cpu/pixelwise/pixelwise.cpp: the pixel-wise loss, one pass over the logits. Truth:
// reference/pixelwise.cpp.
//
// Work is cut into tiles of pixels (tiles.h), into which rows of classes are turned over
// (turned.h); or, where rows are long, into rows (rows.h).
#include "cpu/kernels.h"
#include "cpu/pixelwise/cut.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class Cut>
void run(const Launch& launch, const PixelwiseArgs& args, const Cut& cut) {
  switch (args.divergence) {
    case STRUCTKD_DIVERGENCE_CROSS_ENTROPY:
      return run_cut<STRUCTKD_DIVERGENCE_CROSS_ENTROPY>("pixelwise", launch, args, cut);
    case STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT:
      return run_cut<STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT>("pixelwise", launch, args, cut);
    case STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER:
      return run_cut<STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER>("pixelwise", launch, args, cut);
  }
}

// Calls use(cut) with how the work is cut.
template <class T, class Use>
void with_cut_of(const Launch& launch, const PixelwiseArgs& args, void* memory, Use&& use) {
  Workspace workspace(memory);
  if (prefers_rows(args)) {
    const NetRows rows = {Rows(args.student), Rows(args.teacher), Rows(args.grad)};
    with_row_cut<T>(launch, args, rows, workspace, use);
  } else {
    use(PixelTiles<T>(args, nullptr, launch.threads, workspace), workspace);
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
