// cuda/pixelwise.cu: to be written.
#include "core/pixelwise_args.h"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs&) { return 0; }

void pixelwise(const Launch&, const PixelwiseArgs&, void*) {
  fail(STRUCTKD_ERR_BACKEND, "pixelwise: not there yet");
}

}  // namespace structkd::cuda
