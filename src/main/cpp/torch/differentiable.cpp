// torch/differentiable.cpp: the autograd node that all kernel losses share.
#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/basic_ops.h>

#include "torch/call.h"

namespace structkd {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

using Compute = std::function<LossAndGrad(bool want_grad)>;

// Lets create_graph pass, but whoever differentiates the gradient again gets a sentence instead of
// a wrong zero.
at::Tensor once_differentiable(const std::string& loss, const at::Tensor& grad) {
  const auto refusal = std::make_shared<torch::autograd::DelayedError>(
      loss + ": the gradient is computed by a kernel and cannot be differentiated again", 1);
  return (*refusal)({grad.detach().requires_grad_(true)})[0];
}

struct KernelLoss : torch::autograd::Function<KernelLoss> {
  static at::Tensor forward(AutogradContext* ctx,
                            const at::Tensor& student,
                            const std::string& loss,
                            const Compute* compute) {
    LossAndGrad result = (*compute)(/*want_grad=*/true);
    ctx->save_for_backward({result.grad});
    ctx->saved_data["loss"] = loss;
    ctx->saved_data["dtype"] = int64_t(student.scalar_type());
    return result.loss;
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& upstream) {
    at::Tensor grad = ctx->get_saved_variables()[0];
    const auto dtype = at::ScalarType(ctx->saved_data["dtype"].toInt());
    {
      const at::AutoGradMode no_graph(false);
      // The usual upstream gradient is exactly 1, and a CPU scalar is free to read: no copy then.
      // Saved memory is never scaled in place: the graph may be walked again.
      const bool is_one = upstream[0].device().is_cpu() && upstream[0].item<double>() == 1.0;
      if (!is_one) grad = at::mul(grad, upstream[0].to(grad.scalar_type()));
      grad = grad.to(dtype);  // last, so that f16 rounds once
    }
    if (at::GradMode::is_enabled()) {
      grad = once_differentiable(ctx->saved_data["loss"].toStringRef(), grad);
    }
    return {grad, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor differentiable(const char* loss, const at::Tensor& student, const Compute& compute) {
  if (!at::GradMode::is_enabled() || !student.requires_grad()) {
    const at::AutoGradMode no_graph(false);
    return compute(/*want_grad=*/false).loss;
  }
  return KernelLoss::apply(student, std::string(loss), &compute);
}

}  // namespace structkd
