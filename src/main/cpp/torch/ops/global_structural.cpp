// torch/ops/global_structural.cpp: the loss of GSSKD as a LibTorch operator.
#include "torch/ops/global_structural.h"

#include <string>

#include "torch/errors.h"
#include "torch/loss_op.h"
#include "torch/names.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural loss";

constexpr Named<GroupComparison> kComparisons[] = {
    {"group_divergence", GroupComparison::kGroupDivergence},
    {"row_divergence", GroupComparison::kRowDivergence},
    {"descriptor_relation", GroupComparison::kDescriptorRelation},
};
constexpr Named<structkd_similarity> kSimilarities[] = {
    {"self", STRUCTKD_SIMILARITY_SELF},
    {"cross", STRUCTKD_SIMILARITY_CROSS},
};
constexpr Named<structkd_shuffle> kShuffles[] = {
    {"row_independent", STRUCTKD_SHUFFLE_ROW_INDEPENDENT},
    {"column_shared", STRUCTKD_SHUFFLE_COLUMN_SHARED},
    {"none", STRUCTKD_SHUFFLE_NONE},
};
constexpr Named<structkd_group_reduction> kReductions[] = {
    {"sum", STRUCTKD_GROUP_REDUCTION_SUM},
    {"div_l", STRUCTKD_GROUP_REDUCTION_DIV_L},
    {"div_m", STRUCTKD_GROUP_REDUCTION_DIV_M},
};
constexpr Named<structkd_remainder> kRemainders[] = {
    {"added", STRUCTKD_REMAINDER_ADDED},
    {"averaged", STRUCTKD_REMAINDER_AVERAGED},
    {"dropped", STRUCTKD_REMAINDER_DROPPED},
};
constexpr Named<structkd_batch> kBatches[] = {
    {"mean", STRUCTKD_BATCH_MEAN},
    {"last_image", STRUCTKD_BATCH_LAST_IMAGE},
};

// Maps, tables and params of a call of the C API.
struct Call {
  const Maps maps;
  const OptionalView indices, counts, permutation;
  structkd_global_structural_params params;

  Call(const at::Tensor& student,
       const at::Tensor& teacher,
       const std::optional<at::Tensor>& given_indices,
       const std::optional<at::Tensor>& given_counts,
       const std::optional<at::Tensor>& given_permutation,
       const structkd_global_structural_params& chosen)
      : maps(kLoss, student, teacher),
        indices(maps, "indices", given_indices),
        counts(maps, "counts", given_counts),
        permutation(maps, "permutation", given_permutation),
        params(chosen) {
    params.indices = indices.get();
    params.counts = counts.get();
    params.permutation = permutation.get();
  }
};

structkd_global_structural_params params_of(bool normalize,
                                            std::string_view similarity,
                                            std::string_view shuffle,
                                            std::string_view reduction,
                                            std::string_view remainder,
                                            std::string_view batch,
                                            int64_t group_width,
                                            double temperature,
                                            double eps,
                                            int64_t classes,
                                            int64_t seed) {
  structkd_global_structural_params params{};
  params.struct_size = sizeof(params);
  params.normalize = normalize;
  params.similarity = by_name(kLoss, "similarity", kSimilarities, similarity);
  params.shuffle = by_name(kLoss, "shuffle", kShuffles, shuffle);
  params.reduction = by_name(kLoss, "reduction", kReductions, reduction);
  params.remainder = by_name(kLoss, "remainder", kRemainders, remainder);
  params.batch = by_name(kLoss, "batch", kBatches, batch);
  params.group_width = group_width;
  params.temperature = temperature;
  params.eps = eps;
  params.classes = int32_t(classes);
  params.seed = uint64_t(seed);
  return params;
}

at::Tensor global_structural_composed(const at::Tensor& student,
                                      const at::Tensor& teacher,
                                      const std::optional<at::Tensor>& indices,
                                      const std::optional<at::Tensor>& counts,
                                      const std::optional<at::Tensor>& permutation,
                                      std::string_view comparison,
                                      bool normalize,
                                      std::string_view similarity,
                                      std::string_view shuffle,
                                      std::string_view reduction,
                                      std::string_view remainder,
                                      std::string_view batch,
                                      int64_t group_width,
                                      double temperature,
                                      double eps,
                                      int64_t classes,
                                      int64_t seed,
                                      const at::Tensor& step) {
  auto params = params_of(normalize, similarity, shuffle, reduction, remainder, batch, group_width,
                          temperature, eps, classes, seed);
  params.step = step_of(kLoss, step, "student", student);
  const Call call(student, teacher, indices, counts, permutation, params);
  check_as_kernel(structkd_global_structural_workspace, call.maps, call.params);
  const ComposedMaps maps(call.maps, student);
  return compose_global_structural(by_name(kLoss, "comparison", kComparisons, comparison),
                                   maps.student, maps.teacher, indices, counts, permutation,
                                   call.params, step);
}

at::Tensor global_structural(const at::Tensor& student,
                             const at::Tensor& teacher,
                             const std::optional<at::Tensor>& indices,
                             const std::optional<at::Tensor>& counts,
                             const std::optional<at::Tensor>& permutation,
                             std::string_view comparison,
                             bool normalize,
                             std::string_view similarity,
                             std::string_view shuffle,
                             std::string_view reduction,
                             std::string_view remainder,
                             std::string_view batch,
                             int64_t group_width,
                             double temperature,
                             double eps,
                             int64_t classes,
                             int64_t seed,
                             const at::Tensor& step) {
  if (by_name(kLoss, "comparison", kComparisons, comparison) !=
      GroupComparison::kGroupDivergence) {  // a few M x M maps, so the others get no kernel
    return global_structural_composed(student, teacher, indices, counts, permutation, comparison,
                                      normalize, similarity, shuffle, reduction, remainder, batch,
                                      group_width, temperature, eps, classes, seed, step);
  }
  auto params = params_of(normalize, similarity, shuffle, reduction, remainder, batch, group_width,
                          temperature, eps, classes, seed);
  params.step = step_of(kLoss, step, "student", student);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Call call(student, teacher, indices, counts, permutation, params);
    return call_loss(structkd_global_structural, call.maps, call.params, want_grad);
  });
}

}  // namespace

const int64_t* step_of(const char* loss,
                       const at::Tensor& step,
                       const char* map_argument,
                       const at::Tensor& map) {
  const structkd_tensor view = view_of(loss, "step", step);
  if (view.dtype != STRUCTKD_I64 || step.numel() != 1) {
    raise(STRUCTKD_ERR_SHAPE, std::string(loss) + ": step has " + std::to_string(step.numel()) +
                                  " elements of type " + c10::toString(step.scalar_type()) +
                                  ", expected one of type Long");
  }
  require_same_device(loss, "step", step, map_argument, map);
  return static_cast<const int64_t*>(view.data);
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "global_structural",
           "Tensor? indices, Tensor? counts, Tensor? permutation, str comparison, bool normalize, "
           "str similarity, str shuffle, str reduction, str remainder, str batch, int group_width, "
           "float temperature, float eps, int classes, int seed, Tensor step",
           &global_structural, &global_structural_composed);
}

}  // namespace structkd
