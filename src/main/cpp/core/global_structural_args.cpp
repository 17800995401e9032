// core/global_structural_args.cpp: checks of the global structural loss.
#include "core/global_structural_args.h"

#include <cinttypes>

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural loss";

void require_sizes(const char* argument,
                   const structkd_tensor& tensor,
                   int32_t axis,
                   int64_t expected,
                   const char* what) {
  if (tensor.sizes[axis] == expected) return;
  fail(STRUCTKD_ERR_SHAPE, "%s: %s has shape %s, expected size %" PRId64 " along axis %d: %s",
       kLoss, argument, shape_text(tensor).c_str(), expected, axis, what);
}

IntTable checked_indices(const structkd_tensor* indices, int64_t batch) {
  if (indices == nullptr) return IntTable{};
  constexpr char kName[] = "params->indices";
  require_tensor(kLoss, kName, indices, 2, "[batch, samples]", STRUCTKD_I32);
  require_sizes(kName, *indices, 0, batch, "the student's batch");
  return IntTable{static_cast<int32_t*>(indices->data),
                  1,
                  indices->sizes[1],
                  indices->strides[0],
                  0,
                  indices->strides[1]};
}

IntTable checked_counts(const structkd_tensor* counts, int64_t batch) {
  if (counts == nullptr) return IntTable{};
  constexpr char kName[] = "params->counts";
  require_tensor(kLoss, kName, counts, 2, "[batch, 2]", STRUCTKD_I32);
  require_sizes(kName, *counts, 0, batch, "the student's batch");
  require_sizes(kName, *counts, 1, 2, "samples and classes");
  return IntTable{
      static_cast<int32_t*>(counts->data), 1, 2, counts->strides[0], 0, counts->strides[1]};
}

IntTable checked_permutation(const structkd_tensor* permutation, int64_t batch, int64_t samples) {
  if (permutation == nullptr) return IntTable{};
  constexpr char kName[] = "params->permutation";
  const bool shared = permutation->rank != 3;
  const int32_t first = shared ? 0 : 1;  // axis of the rows
  require_tensor(kLoss, kName, permutation, first + 2, "[samples, samples], or with a batch axis",
                 STRUCTKD_I32);
  if (!shared) require_sizes(kName, *permutation, 0, batch, "the student's batch");
  require_sizes(kName, *permutation, first, samples, "the samples of an image");
  require_sizes(kName, *permutation, first + 1, samples, "the samples of an image");
  return IntTable{static_cast<int32_t*>(permutation->data),
                  samples,
                  samples,
                  shared ? 0 : permutation->strides[0],
                  permutation->strides[first],
                  permutation->strides[first + 1]};
}

void require_options(const structkd_global_structural_params& params) {
  require_enum(kLoss, "params->normalize", params.normalize, 2);
  require_enum(kLoss, "params->similarity", params.similarity, 2);
  require_enum(kLoss, "params->shuffle", params.shuffle, 3);
  require_enum(kLoss, "params->reduction", params.reduction, 3);
  require_enum(kLoss, "params->remainder", params.remainder, 3);
  require_enum(kLoss, "params->batch", params.batch, 2);
  require_positive(kLoss, "params->temperature", params.temperature);
  require_positive(kLoss, "params->eps", params.eps);
  if (params.counts == nullptr) require_at_least(kLoss, "params->classes", params.classes, 1);
  const bool draws = params.shuffle != STRUCTKD_SHUFFLE_NONE && params.permutation == nullptr;
  if (draws) require_given(kLoss, "params->step", params.step);
}

GlobalStructuralArgs checked(const Map& student,
                             const Map& teacher,
                             const structkd_global_structural_params& params) {
  require_same_maps(kLoss, student, teacher, params.similarity == STRUCTKD_SIMILARITY_CROSS);
  GlobalStructuralArgs args{};
  args.indices = checked_indices(params.indices, student.B);
  args.counts = checked_counts(params.counts, student.B);
  args.max_samples = args.indices.data ? args.indices.columns : student.H * student.W;
  // Groups are counted in 32 bits, and a map of this size would take 16 TB.
  if (args.max_samples > (int64_t(1) << 20)) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: %" PRId64
         " samples per image make too large a similarity map, expected at most %d: "
         "sample fewer pixels",
         kLoss, args.max_samples, 1 << 20);
  }
  require_options(params);
  args.permutation = checked_permutation(params.permutation, student.B, args.max_samples);
  args.normalize = params.normalize != 0;
  args.similarity = params.similarity;
  args.shuffle = params.shuffle;
  args.reduction = params.reduction;
  args.remainder = params.remainder;
  args.batch = params.batch;
  args.group_width = params.group_width;
  args.temperature = params.temperature;
  args.eps = params.eps;
  args.classes = params.classes;
  args.seed = params.seed;
  args.step = params.step;
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(global_structural, structkd::kLoss, structkd::checked)
