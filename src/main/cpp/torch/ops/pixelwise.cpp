// torch/ops/pixelwise.cpp: the pixel-wise loss as a LibTorch operator.
#include "structkd/pixelwise.h"

#include <ATen/TensorOperators.h>

#include "torch/loss_op.h"
#include "torch/names.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pixel-wise loss";

constexpr Named<structkd_divergence> kDivergences[] = {
    {"cross_entropy", STRUCTKD_DIVERGENCE_CROSS_ENTROPY},
    {"kl_teacher_student", STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT},
    {"kl_student_teacher", STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER},
};
constexpr Named<structkd_divisor> kDivisors[] = {
    {"pixels_per_image", STRUCTKD_DIVISOR_PIXELS_PER_IMAGE},
    {"pixels", STRUCTKD_DIVISOR_PIXELS},
    {"elements", STRUCTKD_DIVISOR_ELEMENTS},
};

structkd_pixelwise_params params_of(std::string_view divergence,
                                    std::string_view divisor,
                                    double temperature,
                                    bool temperature_squared) {
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.divergence = by_name(kLoss, "divergence", kDivergences, divergence);
  params.divisor = by_name(kLoss, "divisor", kDivisors, divisor);
  params.temperature = temperature;
  params.temperature_squared = temperature_squared;
  return params;
}

at::Tensor pixelwise(const at::Tensor& student,
                     const at::Tensor& teacher,
                     const std::optional<at::Tensor>& mask,
                     std::string_view divergence,
                     std::string_view divisor,
                     double temperature,
                     bool temperature_squared) {
  auto params = params_of(divergence, divisor, temperature, temperature_squared);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView mask_view(maps, "mask", mask);
    params.mask = mask_view.get();
    return call_loss(structkd_pixelwise, maps, params, want_grad);
  });
}

// A class at minus infinity gives NaN here, 0 times infinity, where the kernel counts 0.
at::Tensor summed(structkd_divergence divergence,
                  const at::Tensor& log_s,
                  const at::Tensor& log_t) {
  switch (divergence) {
    case STRUCTKD_DIVERGENCE_CROSS_ENTROPY:
      return -(log_t.exp() * log_s).sum();
    case STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER:
      return at::kl_div(log_t, log_s, at::Reduction::Sum, /*log_target=*/true);
    default:
      return at::kl_div(log_s, log_t, at::Reduction::Sum, /*log_target=*/true);
  }
}

// The mean over pixels is multiplied by this.
double scale_of(const structkd_pixelwise_params& params, const at::Tensor& map) {
  const double t2 = params.temperature_squared ? params.temperature * params.temperature : 1;
  switch (params.divisor) {
    case STRUCTKD_DIVISOR_PIXELS_PER_IMAGE:
      return t2 * double(map.size(0));
    case STRUCTKD_DIVISOR_ELEMENTS:
      return t2 / double(map.size(1));
    default:
      return t2;
  }
}

at::Tensor pixelwise_composed(const at::Tensor& student,
                              const at::Tensor& teacher,
                              const std::optional<at::Tensor>& mask,
                              std::string_view divergence,
                              std::string_view divisor,
                              double temperature,
                              bool temperature_squared) {
  auto params = params_of(divergence, divisor, temperature, temperature_squared);
  const Maps maps(kLoss, student, teacher);
  const OptionalView mask_view(maps, "mask", mask);
  params.mask = mask_view.get();
  check_as_kernel(structkd_pixelwise_workspace, maps, params);
  const ComposedMaps composed(maps, student);
  const at::Tensor &s = composed.student, &t = composed.teacher;
  at::Tensor
      valid;  // [B, 1, H, W]; pixels that take no part have equal distributions and logs of 0
  if (mask.has_value()) valid = mask->to(at::kBool).unsqueeze(1);
  const auto log_q = [&](const at::Tensor& map) {
    const at::Tensor logits = valid.defined() ? at::where(valid, map, 0) : map;
    const at::Tensor logs = at::log_softmax(temperature == 1 ? logits : logits / temperature, 1);
    return valid.defined() ? at::where(valid, logs, 0) : logs;
  };
  const at::Tensor sum = summed(params.divergence, log_q(s), log_q(t));
  const at::Tensor mean =
      valid.defined() ? sum / valid.sum().clamp_min(1) : sum / double(s.numel() / s.size(1));
  return mean * scale_of(params, s);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "pixelwise",
           "Tensor? mask, str divergence, str divisor, float temperature, bool temperature_squared",
           &pixelwise, &pixelwise_composed);
}

}  // namespace structkd
