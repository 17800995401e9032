// torch/adam_state.cpp: state of LibTorch's Adam by parameter, which Java's presets do not show.
// The archive that they offer instead goes through a callback into Java, where no exception may be
// thrown.
#include <torch/optim/adam.h>

#include <memory>
#include <string>

#include "structkd/core.h"
#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

// State of a parameter; null before its first step.
const torch::optim::AdamParamState* find(const torch::optim::Adam& adam,
                                         const at::Tensor& parameter) {
  const auto& states = adam.state();
  const auto found = states.find(parameter.unsafeGetTensorImpl());
  return found == states.end()
             ? nullptr
             : static_cast<const torch::optim::AdamParamState*>(found->second.get());
}

const torch::optim::AdamParamState& require(const torch::optim::Adam& adam,
                                            const at::Tensor& parameter) {
  const torch::optim::AdamParamState* state = find(adam, parameter);
  if (state == nullptr) {
    raise(STRUCTKD_ERR_VALUE, "a parameter has no Adam state yet: adam_steps is 0");
  }
  return *state;
}

}  // namespace

int64_t adam_steps(const torch::optim::Adam* adam, const at::Tensor& parameter) {
  const torch::optim::AdamParamState* state = find(*adam, parameter);
  return state == nullptr ? 0 : state->step();
}

at::Tensor adam_exp_avg(const torch::optim::Adam* adam, const at::Tensor& parameter) {
  return require(*adam, parameter).exp_avg();
}

at::Tensor adam_exp_avg_sq(const torch::optim::Adam* adam, const at::Tensor& parameter) {
  return require(*adam, parameter).exp_avg_sq();
}

void set_adam_state(torch::optim::Adam* adam,
                    const at::Tensor& parameter,
                    int64_t steps,
                    const at::Tensor& exp_avg,
                    const at::Tensor& exp_avg_sq) {
  auto state = std::make_unique<torch::optim::AdamParamState>();
  state->step(steps);
  state->exp_avg(exp_avg);
  state->exp_avg_sq(exp_avg_sq);
  adam->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
}

}  // namespace structkd
