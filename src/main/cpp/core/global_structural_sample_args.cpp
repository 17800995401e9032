// core/global_structural_sample_args.cpp: checks and C entries of the sampling of the global
// structural loss, which is no loss: it has other inputs and outputs.
#include <cinttypes>

#include "core/backend.h"
#include "core/check.h"
#include "core/error.h"
#include "core/global_structural_args.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural sampling";

Plane checked_labels(const structkd_tensor* labels) {
  if (labels == nullptr) return Plane{};
  const structkd_dtype dtype = labels->dtype;
  if (dtype != STRUCTKD_U8 && dtype != STRUCTKD_I32 && dtype != STRUCTKD_I64) {
    fail(STRUCTKD_ERR_DTYPE, "%s: labels is %s, expected u8, i32 or i64", kLoss, dtype_name(dtype));
  }
  require_tensor(kLoss, "labels", labels, 3, "[batch, height, width]", dtype);
  return Plane{labels->data, dtype, labels->strides[0], labels->strides[1], labels->strides[2]};
}

void take_sizes(const structkd_tensor* teacher_logits,
                const structkd_tensor* labels,
                GlobalStructuralSampleArgs& args) {
  if (teacher_logits == nullptr && labels == nullptr) {
    fail(STRUCTKD_ERR_NULL, "%s: teacher_logits and labels are both NULL, expected at least one",
         kLoss);
  }
  args.labels = checked_labels(labels);
  if (teacher_logits == nullptr) {
    args.B = labels->sizes[0], args.H = labels->sizes[1], args.W = labels->sizes[2];
    return;
  }
  args.teacher = require_map(kLoss, "teacher_logits", teacher_logits);
  args.B = args.teacher.B, args.H = args.teacher.H, args.W = args.teacher.W;
  if (labels != nullptr &&
      (labels->sizes[0] != args.B || labels->sizes[1] != args.H || labels->sizes[2] != args.W)) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: labels %s and teacher_logits %s differ in batch, height or width: "
         "resize the labels to the map",
         kLoss, shape_text(*labels).c_str(), shape_text(*teacher_logits).c_str());
  }
}

void take_params(const structkd_global_structural_sample_params* params,
                 GlobalStructuralSampleArgs& args) {
  require_given(kLoss, "params", params);
  require_struct_size(kLoss, params->struct_size, sizeof(*params));
  require_enum(kLoss, "params->sampling", params->sampling, 4);
  require_enum(kLoss, "params->fill", params->fill, 3);
  require_enum(kLoss, "params->draw", params->draw, 2);
  require_enum(kLoss, "params->teacher_correct_only", params->teacher_correct_only, 2);
  require_at_least(kLoss, "params->min_candidates", params->min_candidates, 1);
  if (params->sampling != STRUCTKD_SAMPLING_ALL) {
    const bool grid = params->sampling == STRUCTKD_SAMPLING_RANDOM_GRID;
    require_at_least(kLoss, "params->samples", params->samples, grid ? 4 : 1);
    if (params->draw == STRUCTKD_DRAW_RANDOM) require_given(kLoss, "params->step", params->step);
  }
  if (params->teacher_correct_only) {
    require_given(kLoss, "teacher_logits, which params->teacher_correct_only needs,",
                  args.teacher.data);
    require_given(kLoss, "labels, which params->teacher_correct_only needs,", args.labels.data);
  }
  if (params->sampling == STRUCTKD_SAMPLING_CLASS_BALANCED) {
    require_given(kLoss, "labels, which STRUCTKD_SAMPLING_CLASS_BALANCED needs,", args.labels.data);
  }
  if (args.labels.data != nullptr) {
    require_at_least(kLoss, "params->num_classes", params->num_classes, 1);
    if (params->teacher_correct_only && params->num_classes != args.teacher.C) {
      fail(STRUCTKD_ERR_VALUE,
           "%s: params->num_classes is %" PRId32 ", expected the %" PRId64
           " channels of teacher_logits",
           kLoss, params->num_classes, args.teacher.C);
    }
  }
}

GlobalStructuralSampleArgs checked(const structkd_tensor* teacher_logits,
                                   const structkd_tensor* labels,
                                   const structkd_global_structural_sample_params* params) {
  GlobalStructuralSampleArgs args{};
  take_sizes(teacher_logits, labels, args);
  take_params(params, args);
  args.sampling = params->sampling;
  args.fill = params->fill;
  args.draw = params->draw;
  args.teacher_correct_only = params->teacher_correct_only != 0;
  args.min_candidates = params->min_candidates;
  args.num_classes = args.labels.data ? params->num_classes : 1;
  args.ignore_index = params->ignore_index;
  args.seed = params->seed;
  args.step = params->step;
  args.strata = 1;
  args.samples = params->samples;
  switch (params->sampling) {
    case STRUCTKD_SAMPLING_CLASS_BALANCED:
      args.strata = args.num_classes;
      break;
    case STRUCTKD_SAMPLING_RANDOM_GRID:
      args.strata = 4;
      args.samples /= 4;
      break;
    case STRUCTKD_SAMPLING_RANDOM:
      break;
    case STRUCTKD_SAMPLING_ALL:
      args.samples = args.H * args.W;
      break;
  }
  args.max_samples = args.strata * args.samples;
  if (args.H * args.W > INT32_MAX || args.max_samples > INT32_MAX) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: %" PRId64 " pixels and up to %" PRId64
         " samples per image, expected at most 2^31 - 1 of each",
         kLoss, args.H * args.W, args.max_samples);
  }
  return args;
}

IntTable checked_output(const char* argument,
                        structkd_tensor* tensor,
                        int64_t batch,
                        int64_t least_columns) {
  require_tensor(kLoss, argument, tensor, 2, "[batch, entries]", STRUCTKD_I32);
  require_no_overlap(kLoss, argument, *tensor);
  if (tensor->sizes[0] != batch || tensor->sizes[1] < least_columns) {
    fail(STRUCTKD_ERR_SHAPE, "%s: %s has shape %s, expected [%" PRId64 ", at least %" PRId64 "]",
         kLoss, argument, shape_text(*tensor).c_str(), batch, least_columns);
  }
  return IntTable{static_cast<int32_t*>(tensor->data),
                  1,
                  tensor->sizes[1],
                  tensor->strides[0],
                  0,
                  tensor->strides[1]};
}

}  // namespace
}  // namespace structkd

structkd_status structkd_global_structural_sample_bound(
    const structkd_tensor* teacher_logits,
    const structkd_tensor* labels,
    const structkd_global_structural_sample_params* params,
    int64_t* max_samples) {
  using namespace structkd;
  return guarded([&] {
    const GlobalStructuralSampleArgs args = checked(teacher_logits, labels, params);
    require_given(kLoss, "max_samples", max_samples);
    *max_samples = args.max_samples;
  });
}

structkd_status structkd_global_structural_sample_workspace(
    const structkd_ctx* ctx,
    const structkd_tensor* teacher_logits,
    const structkd_tensor* labels,
    const structkd_global_structural_sample_params* params,
    size_t* bytes) {
  using namespace structkd;
  return guarded([&] {
    const GlobalStructuralSampleArgs args = checked(teacher_logits, labels, params);
    require_given(kLoss, "bytes", bytes);
    *bytes = workspace_bytes(kLoss, ctx, &Backend::global_structural_sample, args);
  });
}

structkd_status structkd_global_structural_sample(
    const structkd_ctx* ctx,
    const structkd_tensor* teacher_logits,
    const structkd_tensor* labels,
    const structkd_global_structural_sample_params* params,
    void* workspace,
    structkd_tensor* indices,
    structkd_tensor* counts) {
  using namespace structkd;
  return guarded([&] {
    GlobalStructuralSampleArgs args = checked(teacher_logits, labels, params);
    args.indices = checked_output("indices", indices, args.B, args.max_samples);
    args.counts = checked_output("counts", counts, args.B, 2);
    run(kLoss, ctx, &Backend::global_structural_sample, args, workspace);
  });
}
