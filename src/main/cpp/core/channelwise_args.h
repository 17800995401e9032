// core/channelwise_args.h: checked arguments of the channel-wise loss, as backends receive them.
#ifndef STRUCTKD_CORE_CHANNELWISE_ARGS_H
#define STRUCTKD_CORE_CHANNELWISE_ARGS_H

#include "core/loss_args.h"
#include "structkd/channelwise.h"

namespace structkd {

struct ChannelwiseArgs : LossArgs {
  Plane mask;  // u8, or not given
  double temperature;
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_CHANNELWISE_ARGS_H
