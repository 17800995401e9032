// cuda/pairwise.cu: to be written.
#include "core/pairwise_args.h"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {

size_t pairwise_workspace(const Launch&, const PairwiseArgs&) { return 0; }

void pairwise(const Launch&, const PairwiseArgs&, void*) {
  fail(STRUCTKD_ERR_BACKEND, "pairwise: not there yet");
}

}  // namespace structkd::cuda
