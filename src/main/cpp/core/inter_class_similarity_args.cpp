// core/inter_class_similarity_args.cpp: checks and C entries of the inter-class similarity loss.
#include "core/inter_class_similarity_args.h"

#include "core/backend.h"
#include "core/check.h"
#include "core/error.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "inter-class similarity loss";

InterClassSimilarityArgs checked(const structkd_tensor* student,
                                 const structkd_tensor* teacher,
                                 const structkd_inter_class_similarity_params* params) {
  InterClassSimilarityArgs args{};
  args.student = require_map(kLoss, "student", student);
  args.teacher = require_map(kLoss, "teacher", teacher);
  require_same_maps(kLoss, *student, *teacher, /*same_channels=*/true);
  require_given(kLoss, "params", params);
  require_struct_size(kLoss, params->struct_size, sizeof(*params));
  require_enum(kLoss, "params->row_normalize", params->row_normalize, 2);
  require_enum(kLoss, "params->precision", params->precision, 2);
  require_positive(kLoss, "params->temperature", params->temperature);
  args.row_normalize = params->row_normalize != 0;
  args.precision = params->precision;
  args.temperature = params->temperature;
  args.mask =
      optional_plane(kLoss, "params->mask", params->mask, args.student, STRUCTKD_U8, STRUCTKD_U8);
  return args;
}

}  // namespace
}  // namespace structkd

structkd_status structkd_inter_class_similarity_workspace(
    const structkd_ctx* ctx,
    const structkd_tensor* student,
    const structkd_tensor* teacher,
    const structkd_inter_class_similarity_params* params,
    int want_grad,
    size_t* bytes) {
  using namespace structkd;
  return guarded([&] {
    InterClassSimilarityArgs args = checked(student, teacher, params);
    args.want_grad = want_grad != 0;
    require_given(kLoss, "bytes", bytes);
    *bytes = workspace_bytes(kLoss, ctx, &Backend::inter_class_similarity, args);
  });
}

structkd_status structkd_inter_class_similarity(
    const structkd_ctx* ctx,
    const structkd_tensor* student,
    const structkd_tensor* teacher,
    const structkd_inter_class_similarity_params* params,
    void* workspace,
    void* loss,
    structkd_tensor* grad) {
  using namespace structkd;
  return guarded([&] {
    InterClassSimilarityArgs args = checked(student, teacher, params);
    args.grad = optional_grad(kLoss, grad, *student);
    args.want_grad = grad != nullptr;
    require_given(kLoss, "loss", loss);
    args.loss = loss;
    run(kLoss, ctx, &Backend::inter_class_similarity, args, workspace);
  });
}
