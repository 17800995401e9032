// torch/ops/channelwise.cpp: the channel-wise loss as a LibTorch operator.
#include "structkd/channelwise.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "torch/loss_op.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "channel-wise loss";

structkd_channelwise_params params_of(double temperature) {
  structkd_channelwise_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  return params;
}

at::Tensor channelwise(const at::Tensor& student,
                       const at::Tensor& teacher,
                       const std::optional<at::Tensor>& mask,
                       double temperature) {
  auto params = params_of(temperature);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView mask_view(maps, "mask", mask);
    params.mask = mask_view.get();
    return call_loss(structkd_channelwise, maps, params, want_grad);
  });
}

// A position at minus infinity gives NaN here, 0 times infinity, where the kernel counts 0.
at::Tensor channelwise_composed(const at::Tensor& student,
                                const at::Tensor& teacher,
                                const std::optional<at::Tensor>& mask,
                                double temperature) {
  auto params = params_of(temperature);
  const Maps maps(kLoss, student, teacher);
  const OptionalView mask_view(maps, "mask", mask);
  params.mask = mask_view.get();
  check_as_kernel(structkd_channelwise_workspace, maps, params);
  const ComposedMaps composed(maps, student);
  const double t2 = temperature * temperature, C = double(composed.student.size(1));
  const auto activations = [&](const at::Tensor& map) {
    const at::Tensor channels = map.flatten(2);
    return temperature == 1 ? channels : channels / temperature;
  };
  const auto divergence = [](const at::Tensor& log_s, const at::Tensor& log_t) {
    return at::kl_div(log_s, log_t, at::Reduction::Sum, /*log_target=*/true);
  };
  if (!mask.has_value()) {
    const auto log_q = [&](const at::Tensor& map) { return at::log_softmax(activations(map), 2); };
    return divergence(log_q(composed.student), log_q(composed.teacher)) *
           (t2 / (C * double(composed.student.size(0))));
  }
  const at::Tensor valid = mask->to(at::kBool).flatten(1).unsqueeze(1);  // [B, 1, H W]
  const at::Tensor has_valid = valid.any(2, /*keepdim=*/true);
  // Positions that take no part have no weight, and logarithms of 0 in both nets. An image without
  // any other has equal distributions.
  const double kNothing = -std::numeric_limits<double>::infinity();
  const auto log_q = [&](const at::Tensor& map) {
    const at::Tensor channels = activations(map);
    const at::Tensor without = at::where(has_valid, at::full({}, kNothing, channels.options()), 0);
    return at::where(valid, at::log_softmax(at::where(valid, channels, without), 2), 0);
  };
  return divergence(log_q(composed.student), log_q(composed.teacher)) * (t2 / C) /
         has_valid.sum().clamp_min(1);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "channelwise", "Tensor? mask, float temperature", &channelwise,
           &channelwise_composed);
}

}  // namespace structkd
