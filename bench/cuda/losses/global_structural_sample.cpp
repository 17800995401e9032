// bench/cuda/losses/global_structural_sample.cpp: drawing pixels that the teacher gets right, the
// same number of each class.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_global_structural_sample_params params_of(const Case& c, const Arrays& arrays) {
  structkd_global_structural_sample_params params = {};
  params.struct_size = sizeof(params);
  params.sampling = STRUCTKD_SAMPLING_CLASS_BALANCED;
  params.fill = STRUCTKD_FILL_OTHER_CLASSES;
  params.teacher_correct_only = 1;
  params.samples = int32_t(c.samples);
  params.min_candidates = 1;
  params.num_classes = int32_t(c.C);
  params.ignore_index = 255;
  params.seed = kSeed;
  params.step = arrays.step;
  return params;
}

}  // namespace

Loss global_structural_sample() {
  Loss loss;
  loss.workspace_bytes = [](const Case& c, const structkd_ctx& ctx, const Arrays& a) {
    const auto params = params_of(c, a);
    size_t bytes = 0;
    require(
        structkd_global_structural_sample_workspace(&ctx, &a.teacher, &a.labels, &params, &bytes));
    return bytes;
  };
  loss.call = [](const Case& c, const structkd_ctx& ctx, Arrays& a, void* workspace) {
    const auto params = params_of(c, a);
    require(structkd_global_structural_sample(&ctx, &a.teacher, &a.labels, &params, workspace,
                                              &a.indices, &a.counts));
  };
  loss.bytes = [](const Case& c) {
    return c.teacher_bytes() + double(c.B * c.pixels()) * 8;  // labels are I64
  };
  return loss;
}

}  // namespace structkd::bench
