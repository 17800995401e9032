// cuda/global_structural.cu: to be written.
#include "core/global_structural_args.h"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {

size_t global_structural_workspace(const Launch&, const GlobalStructuralArgs&) { return 0; }

void global_structural(const Launch&, const GlobalStructuralArgs&, void*) {
  fail(STRUCTKD_ERR_BACKEND, "global_structural: not there yet");
}

}  // namespace structkd::cuda
