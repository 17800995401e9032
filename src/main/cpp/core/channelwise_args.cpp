// core/channelwise_args.cpp: checks of the channel-wise loss.
#include "core/channelwise_args.h"

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "channel-wise loss";

ChannelwiseArgs checked(const Map& student,
                        const Map& teacher,
                        const structkd_channelwise_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/true);
  require_positive(kLoss, "params->temperature", params.temperature);
  ChannelwiseArgs args{};
  args.temperature = params.temperature;
  args.mask = optional_plane(kLoss, "params->mask", params.mask, student, STRUCTKD_U8, STRUCTKD_U8);
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(channelwise, structkd::kLoss, structkd::checked)
