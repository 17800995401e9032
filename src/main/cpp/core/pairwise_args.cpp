// core/pairwise_args.cpp: checks and C entries of the pair-wise loss.
#include "core/pairwise_args.h"

#include <cinttypes>

#include "core/backend.h"
#include "core/check.h"
#include "core/error.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pair-wise loss";

PairwiseArgs checked(const structkd_tensor* student,
                     const structkd_tensor* teacher,
                     const structkd_pairwise_params* params) {
  PairwiseArgs args{};
  args.student = require_map(kLoss, "student", student);
  args.teacher = require_map(kLoss, "teacher", teacher);
  require_same_maps(kLoss, *student, *teacher, /*same_channels=*/false);
  // Channels are counted in 32 bits, and one node of more would take 4 GB of f16.
  if (args.student.C > INT32_MAX || args.teacher.C > INT32_MAX) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: student has %" PRId64 " channels and teacher %" PRId64
         ", expected at most 2^31 - 1 of each",
         kLoss, args.student.C, args.teacher.C);
  }
  require_given(kLoss, "params", params);
  require_struct_size(kLoss, params->struct_size, sizeof(*params));
  require_enum(kLoss, "params->norm", params->norm, 2);
  require_enum(kLoss, "params->eps_mode", params->eps_mode, 2);
  require_enum(kLoss, "params->pairs", params->pairs, 2);
  require_enum(kLoss, "params->precision", params->precision, 2);
  require_positive(kLoss, "params->eps", params->eps);
  args.norm = params->norm;
  args.eps_mode = params->eps_mode;
  args.pairs = params->pairs;
  args.precision = params->precision;
  args.eps = params->eps;
  args.kappa = params->kappa;
  args.weights = optional_plane(kLoss, "params->weights", params->weights, args.student,
                                STRUCTKD_F32, STRUCTKD_F32);
  return args;
}

}  // namespace
}  // namespace structkd

structkd_status structkd_pairwise_workspace(const structkd_ctx* ctx,
                                            const structkd_tensor* student,
                                            const structkd_tensor* teacher,
                                            const structkd_pairwise_params* params,
                                            int want_grad,
                                            size_t* bytes) {
  using namespace structkd;
  return guarded([&] {
    PairwiseArgs args = checked(student, teacher, params);
    args.want_grad = want_grad != 0;
    require_given(kLoss, "bytes", bytes);
    *bytes = workspace_bytes(kLoss, ctx, &Backend::pairwise, args);
  });
}

structkd_status structkd_pairwise(const structkd_ctx* ctx,
                                  const structkd_tensor* student,
                                  const structkd_tensor* teacher,
                                  const structkd_pairwise_params* params,
                                  void* workspace,
                                  void* loss,
                                  structkd_tensor* grad) {
  using namespace structkd;
  return guarded([&] {
    PairwiseArgs args = checked(student, teacher, params);
    args.grad = optional_grad(kLoss, grad, *student);
    args.want_grad = grad != nullptr;
    require_given(kLoss, "loss", loss);
    args.loss = loss;
    run(kLoss, ctx, &Backend::pairwise, args, workspace);
  });
}
