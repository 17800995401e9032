// cuda/inter_class_similarity.cu: to be written.
#include "core/inter_class_similarity_args.h"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {

size_t inter_class_similarity_workspace(const Launch&, const InterClassSimilarityArgs&) { return 0; }

void inter_class_similarity(const Launch&, const InterClassSimilarityArgs&, void*) {
  fail(STRUCTKD_ERR_BACKEND, "inter_class_similarity: not there yet");
}

}  // namespace structkd::cuda
