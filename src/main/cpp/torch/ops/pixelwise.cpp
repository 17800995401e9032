// torch/ops/pixelwise.cpp: the pixel-wise loss as a LibTorch operator.
#include "structkd/pixelwise.h"

#include <torch/library.h>

#include "torch/call.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pixel-wise loss";

}  // namespace

at::Tensor pixelwise(const at::Tensor& student,
                     const at::Tensor& teacher,
                     const std::optional<at::Tensor>& mask,
                     int64_t divergence,
                     int64_t divisor,
                     double temperature,
                     bool temperature_squared) {
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.divergence = structkd_divergence(divergence);
  params.divisor = structkd_divisor(divisor);
  params.temperature = temperature;
  params.temperature_squared = temperature_squared;
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView mask_view(maps, "mask", mask);
    params.mask = mask_view.get();
    return call_loss(structkd_pixelwise, maps, params, want_grad);
  });
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def(
      "pixelwise(Tensor student, Tensor teacher, Tensor? mask, int divergence, int divisor, float "
      "temperature, bool temperature_squared) -> Tensor",
      &pixelwise);
}

}  // namespace structkd
