// core/global_structural_args.cpp: checks and C entries of the global structural loss.
#include "core/global_structural_args.h"

#include <cinttypes>

#include "core/backend.h"
#include "core/check.h"
#include "core/error.h"

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
  require_tensor(kLoss, "indices", indices, 2, "[batch, samples]", STRUCTKD_I32);
  require_sizes("indices", *indices, 0, batch, "the student's batch");
  return IntTable{static_cast<int32_t*>(indices->data),
                  1,
                  indices->sizes[1],
                  indices->strides[0],
                  0,
                  indices->strides[1]};
}

IntTable checked_counts(const structkd_tensor* counts, int64_t batch) {
  if (counts == nullptr) return IntTable{};
  require_tensor(kLoss, "counts", counts, 2, "[batch, 2]", STRUCTKD_I32);
  require_sizes("counts", *counts, 0, batch, "the student's batch");
  require_sizes("counts", *counts, 1, 2, "samples and classes");
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

void take_params(const structkd_global_structural_params* params, GlobalStructuralArgs& args) {
  require_given(kLoss, "params", params);
  require_struct_size(kLoss, params->struct_size, sizeof(*params));
  require_enum(kLoss, "params->normalize", params->normalize, 2);
  require_enum(kLoss, "params->similarity", params->similarity, 2);
  require_enum(kLoss, "params->shuffle", params->shuffle, 3);
  require_enum(kLoss, "params->reduction", params->reduction, 3);
  require_enum(kLoss, "params->remainder", params->remainder, 3);
  require_enum(kLoss, "params->batch", params->batch, 2);
  require_enum(kLoss, "params->precision", params->precision, 2);
  require_positive(kLoss, "params->temperature", params->temperature);
  require_positive(kLoss, "params->eps", params->eps);
  if (args.counts.data == nullptr) {
    require_at_least(kLoss, "params->classes", params->classes, 1);
  }
  const bool draws = params->shuffle != STRUCTKD_SHUFFLE_NONE && params->permutation == nullptr;
  if (draws) require_given(kLoss, "params->step", params->step);
  args.normalize = params->normalize != 0;
  args.similarity = params->similarity;
  args.shuffle = params->shuffle;
  args.reduction = params->reduction;
  args.remainder = params->remainder;
  args.batch = params->batch;
  args.precision = params->precision;
  args.group_width = params->group_width;
  args.temperature = params->temperature;
  args.eps = params->eps;
  args.classes = params->classes;
  args.seed = params->seed;
  args.step = params->step;
}

GlobalStructuralArgs checked(const structkd_tensor* student,
                             const structkd_tensor* teacher,
                             const structkd_tensor* indices,
                             const structkd_tensor* counts,
                             const structkd_global_structural_params* params) {
  GlobalStructuralArgs args{};
  args.student = require_map(kLoss, "student", student);
  args.teacher = require_map(kLoss, "teacher", teacher);
  require_given(kLoss, "params", params);
  require_same_maps(kLoss, *student, *teacher, params->similarity == STRUCTKD_SIMILARITY_CROSS);
  args.indices = checked_indices(indices, args.student.B);
  args.counts = checked_counts(counts, args.student.B);
  args.max_samples = args.indices.data ? args.indices.columns : args.student.H * args.student.W;
  // Groups are counted in 32 bits, and a map of this size would take 16 TB.
  if (args.max_samples > (int64_t(1) << 20)) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: %" PRId64
         " samples per image make too large a similarity map, expected at most %d: "
         "sample fewer pixels",
         kLoss, args.max_samples, 1 << 20);
  }
  take_params(params, args);
  args.permutation = checked_permutation(params->permutation, args.student.B, args.max_samples);
  return args;
}

}  // namespace
}  // namespace structkd

structkd_status structkd_global_structural_workspace(
    const structkd_ctx* ctx,
    const structkd_tensor* student,
    const structkd_tensor* teacher,
    const structkd_tensor* indices,
    const structkd_tensor* counts,
    const structkd_global_structural_params* params,
    int want_grad,
    size_t* bytes) {
  using namespace structkd;
  return guarded([&] {
    GlobalStructuralArgs args = checked(student, teacher, indices, counts, params);
    args.want_grad = want_grad != 0;
    require_given(kLoss, "bytes", bytes);
    *bytes = workspace_bytes(kLoss, ctx, &Backend::global_structural, args);
  });
}

structkd_status structkd_global_structural(const structkd_ctx* ctx,
                                           const structkd_tensor* student,
                                           const structkd_tensor* teacher,
                                           const structkd_tensor* indices,
                                           const structkd_tensor* counts,
                                           const structkd_global_structural_params* params,
                                           void* workspace,
                                           void* loss,
                                           structkd_tensor* grad) {
  using namespace structkd;
  return guarded([&] {
    GlobalStructuralArgs args = checked(student, teacher, indices, counts, params);
    args.grad = optional_grad(kLoss, grad, *student);
    args.want_grad = grad != nullptr;
    require_given(kLoss, "loss", loss);
    args.loss = loss;
    run(kLoss, ctx, &Backend::global_structural, args, workspace);
  });
}
