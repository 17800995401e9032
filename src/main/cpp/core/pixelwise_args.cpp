// core/pixelwise_args.cpp: checks of the pixel-wise loss.
#include "core/pixelwise_args.h"

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pixel-wise loss";

PixelwiseArgs checked(const Map& student,
                      const Map& teacher,
                      const structkd_pixelwise_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/true);
  require_enum(kLoss, "params->divergence", params.divergence, 3);
  require_enum(kLoss, "params->divisor", params.divisor, 3);
  require_positive(kLoss, "params->temperature", params.temperature);
  PixelwiseArgs args{};
  args.divergence = params.divergence;
  args.divisor = params.divisor;
  args.temperature = params.temperature;
  args.temperature_squared = params.temperature_squared != 0;
  args.mask = optional_plane(kLoss, "params->mask", params.mask, student, STRUCTKD_U8, STRUCTKD_U8);
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(pixelwise, structkd::kLoss, structkd::checked)
