// bench/cuda/losses.cpp: the C API's call of each case.
#include "losses.h"

#include <stdexcept>

namespace structkd::bench {
namespace {

constexpr uint64_t kSeed = 42;
constexpr int kWantGrad = 1;

void require(structkd_status status) {
  if (status == STRUCTKD_OK) return;
  throw std::runtime_error(std::string(structkd_last_error()) + " (" +
                           structkd_status_name(status) + ")");
}

const structkd_tensor* given(const structkd_tensor& tensor) {
  return tensor.data != nullptr ? &tensor : nullptr;
}

// KL with the teacher in front, a mean over pixels.
structkd_pixelwise_params pixelwise_params() {
  structkd_pixelwise_params params = {};
  params.struct_size = sizeof(params);
  params.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  params.divisor = STRUCTKD_DIVISOR_PIXELS;
  params.temperature = 1.0;
  return params;
}

// All nodes, gradient through the length.
structkd_pairwise_params pairwise_params(const Case& c) {
  structkd_pairwise_params params = {};
  params.struct_size = sizeof(params);
  params.norm = STRUCTKD_NORM_DIFFERENTIABLE;
  params.eps_mode = STRUCTKD_EPS_MAX;
  params.pairs = c.whole_batch ? STRUCTKD_PAIRS_WHOLE_BATCH : STRUCTKD_PAIRS_PER_IMAGE;
  params.precision = c.fast ? STRUCTKD_PRECISION_FAST : STRUCTKD_PRECISION_EXACT;
  params.eps = 1e-12;
  return params;
}

structkd_inter_class_similarity_params inter_class_similarity_params() {
  structkd_inter_class_similarity_params params = {};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  return params;
}

// Pixels that the teacher gets right, the same number of each class.
structkd_global_structural_sample_params sample_params(const Case& c, const Arrays& arrays) {
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

// Eight groups of columns, another permutation in every row.
structkd_global_structural_params global_structural_params(const Case& c, const Arrays& arrays) {
  structkd_global_structural_params params = {};
  params.struct_size = sizeof(params);
  params.normalize = 1;
  params.group_width = c.nodes() / 8;
  params.temperature = 1.0;
  params.eps = 1e-8;
  params.classes = 1;
  params.indices = given(arrays.indices);
  params.counts = given(arrays.counts);
  params.seed = kSeed;
  params.step = arrays.step;
  return params;
}

}  // namespace

structkd_tensor tensor_of(void* data,
                          structkd_dtype dtype,
                          const std::vector<int64_t>& sizes,
                          bool channels_last) {
  structkd_tensor tensor = {};
  tensor.data = data;
  tensor.dtype = dtype;
  tensor.rank = int32_t(sizes.size());
  for (int d = 0; d < tensor.rank; ++d) tensor.sizes[d] = sizes[size_t(d)];
  const std::vector<int> inner_first = channels_last      ? std::vector<int>{1, 3, 2, 0}
                                       : tensor.rank == 4 ? std::vector<int>{3, 2, 1, 0}
                                       : tensor.rank == 3 ? std::vector<int>{2, 1, 0}
                                                          : std::vector<int>{1, 0};
  int64_t stride = 1;
  for (int d : inner_first) {
    tensor.strides[d] = stride;
    stride *= tensor.sizes[d];
  }
  return tensor;
}

namespace {

// Calls visit with the two C entries and the params of a case's loss. Sampling is none.
template <class Visit>
void with_loss(const Case& c, const Arrays& a, Visit&& visit) {
  switch (c.loss) {
    case Loss::kPixelwise:
      return visit(structkd_pixelwise_workspace, structkd_pixelwise, pixelwise_params());
    case Loss::kPairwise:
      return visit(structkd_pairwise_workspace, structkd_pairwise, pairwise_params(c));
    case Loss::kInterClassSimilarity:
      return visit(structkd_inter_class_similarity_workspace, structkd_inter_class_similarity,
                   inter_class_similarity_params());
    case Loss::kGlobalStructural:
      return visit(structkd_global_structural_workspace, structkd_global_structural,
                   global_structural_params(c, a));
    case Loss::kGlobalStructuralSample:
      break;
  }
}

}  // namespace

size_t workspace_bytes(const Case& c, const structkd_ctx& ctx, const Arrays& a) {
  size_t bytes = 0;
  if (c.loss == Loss::kGlobalStructuralSample) {
    const auto params = sample_params(c, a);
    require(
        structkd_global_structural_sample_workspace(&ctx, &a.teacher, &a.labels, &params, &bytes));
  }
  with_loss(c, a, [&](auto workspace, auto, const auto& params) {
    require(workspace(&ctx, &a.student, &a.teacher, &params, kWantGrad, &bytes));
  });
  return bytes;
}

void call(const Case& c, const structkd_ctx& ctx, Arrays& a, void* workspace) {
  if (c.loss == Loss::kGlobalStructuralSample) {
    const auto params = sample_params(c, a);
    require(structkd_global_structural_sample(&ctx, &a.teacher, &a.labels, &params, workspace,
                                              &a.indices, &a.counts));
  }
  with_loss(c, a, [&](auto, auto run, const auto& params) {
    require(run(&ctx, &a.student, &a.teacher, &params, workspace, a.loss, &a.grad));
  });
}

}  // namespace structkd::bench
