// bench/cuda/losses/channelwise.cpp: temperature 4, a mean over channels.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_channelwise_params params_of(const Case&, const Arrays&) {
  structkd_channelwise_params params = {};
  params.struct_size = sizeof(params);
  params.temperature = 4.0;
  return params;
}

}  // namespace

// Both nets are read twice, once for the sums of a channel and once for its gradient.
Loss channelwise() {
  Loss loss = loss_with(structkd_channelwise_workspace, structkd_channelwise, params_of);
  loss.bytes = [](const Case& c) {
    return 2 * (c.student_bytes() + c.teacher_bytes()) + c.grad_bytes();
  };
  return loss;
}

}  // namespace structkd::bench
