// torch/optimizers.cpp: one step of an optimizer for one parameter, out of LibTorch's operators in
// the order of its own optimizers, and so with their bits. State lies in tensors of the caller:
// LibTorch's optimizers hide theirs from Java's presets.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "structkd/core.h"
#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

// The gradient, with the part that draws the parameter to 0.
at::Tensor decayed_gradient(const at::Tensor& parameter, double weight_decay) {
  const at::Tensor gradient = parameter.grad();
  if (gradient.is_sparse()) {
    raise(STRUCTKD_ERR_VALUE,
          "the optimizers take no sparse gradients: make the embedding dense (sparse = false)");
  }
  return weight_decay == 0 ? gradient : gradient.add(parameter, weight_decay);
}

}  // namespace

bool has_gradient(const at::Tensor& parameter) { return parameter.grad().defined(); }

void adam_step(const at::Tensor& parameter,
               const at::Tensor& exp_avg,
               const at::Tensor& exp_avg_sq,
               int64_t steps,
               double rate,
               double beta1,
               double beta2,
               double eps,
               double weight_decay,
               bool decoupled) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor gradient = decayed_gradient(parameter, decoupled ? 0 : weight_decay);
  if (decoupled && weight_decay != 0) parameter.mul_(1 - rate * weight_decay);
  exp_avg.mul_(beta1).add_(gradient, 1 - beta1);
  exp_avg_sq.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  const double correction1 = 1 - std::pow(beta1, steps);
  const double correction2 = 1 - std::pow(beta2, steps);
  const at::Tensor denominator = (exp_avg_sq.sqrt() / std::sqrt(correction2)).add_(eps);
  parameter.addcdiv_(exp_avg, denominator, -(rate / correction1));
}

void sgd_step(const at::Tensor& parameter,
              const at::Tensor& momentum_buffer,
              double rate,
              double momentum,
              bool nesterov,
              double weight_decay) {
  const c10::AutoGradMode no_grad(false);
  at::Tensor direction = decayed_gradient(parameter, weight_decay);
  if (momentum != 0) {
    momentum_buffer.mul_(momentum).add_(direction);
    direction = nesterov ? direction.add(momentum_buffer, momentum) : momentum_buffer;
  }
  parameter.add_(direction, -rate);
}

}  // namespace structkd
