// cuda/global_structural_sample.cu: to be written.
#include "core/global_structural_args.h"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {

size_t global_structural_sample_workspace(const Launch&, const GlobalStructuralSampleArgs&) { return 0; }

void global_structural_sample(const Launch&, const GlobalStructuralSampleArgs&, void*) {
  fail(STRUCTKD_ERR_BACKEND, "global_structural_sample: not there yet");
}

}  // namespace structkd::cuda
