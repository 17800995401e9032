// core/cross_image_relation_args.cpp: checks of the cross-image relation loss.
#include "core/cross_image_relation_args.h"

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "cross-image relation loss";

CrossImageRelationArgs checked(const Map& student,
                               const Map& teacher,
                               const structkd_cross_image_relation_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/false);
  require_counted_channels(kLoss, student, teacher);
  require_positive(kLoss, "params->temperature", params.temperature);
  if (params.temperature < STRUCTKD_LEAST_RELATION_TEMPERATURE) {
    fail(STRUCTKD_ERR_VALUE, "%s: params->temperature is %g, expected at least 1/256", kLoss,
         params.temperature);
  }
  require_positive(kLoss, "params->eps", params.eps);
  CrossImageRelationArgs args{};
  args.temperature = params.temperature;
  args.eps = params.eps;
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(cross_image_relation, structkd::kLoss, structkd::checked)
