// torch/ops/pairwise.cpp: the pair-wise loss as a LibTorch operator.
#include "structkd/pairwise.h"

#include <ATen/Functions.h>
#include <torch/library.h>

#include "torch/call.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pair-wise loss";

LossAndGrad compute(const at::Tensor& student,
                    const at::Tensor& teacher,
                    const std::optional<at::Tensor>& weights,
                    structkd_pairwise_params params,
                    bool want_grad) {
  const Maps maps(kLoss, student, teacher);
  std::optional<at::Tensor> f32_weights;
  if (weights.has_value()) f32_weights = plain(kLoss, "weights", *weights).to(at::kFloat);
  const OptionalView weight_view(maps, "weights", f32_weights);
  params.weights = weight_view.get();
  return call_loss(structkd_pairwise, maps, params, want_grad);
}

structkd_pairwise_params params_of(
    int64_t norm, int64_t eps_mode, double eps, int64_t pairs, int64_t precision) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.norm = structkd_norm_gradient(norm);
  params.eps_mode = structkd_eps_mode(eps_mode);
  params.eps = eps;
  params.pairs = structkd_pairs(pairs);
  params.precision = structkd_precision(precision);
  return params;
}

}  // namespace

at::Tensor pairwise(const at::Tensor& student,
                    const at::Tensor& teacher,
                    const std::optional<at::Tensor>& weights,
                    int64_t norm,
                    int64_t eps_mode,
                    double eps,
                    int64_t pairs,
                    int64_t precision) {
  const structkd_pairwise_params params = params_of(norm, eps_mode, eps, pairs, precision);
  return differentiable(kLoss, student, [&](bool want_grad) {
    return compute(student, teacher, weights, params, want_grad);
  });
}

double pairwise_condition_number(const at::Tensor& student,
                                 const at::Tensor& teacher,
                                 const std::optional<at::Tensor>& weights,
                                 int64_t norm,
                                 int64_t eps_mode,
                                 double eps,
                                 int64_t pairs) {
  structkd_pairwise_params params = params_of(norm, eps_mode, eps, pairs, STRUCTKD_PRECISION_EXACT);
  require_dense(kLoss, "student", student);  // before its options are taken
  const at::Tensor kappa = at::empty({}, student.options().dtype(at::kDouble));
  params.kappa = kappa.data_ptr<double>();
  compute(student, teacher, weights, params, /*want_grad=*/false);
  return kappa.item<double>();
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def(
      "pairwise(Tensor student, Tensor teacher, Tensor? weights, int norm, int eps_mode, "
      "float eps, int pairs, int precision) -> Tensor",
      &pairwise);
  library.def(
      "pairwise_condition_number(Tensor student, Tensor teacher, Tensor? weights, int norm, int "
      "eps_mode, float eps, int pairs) -> float",
      &pairwise_condition_number);
}

}  // namespace structkd
