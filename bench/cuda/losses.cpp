// bench/cuda/losses.cpp: the losses by their ids.
#include "losses.h"

#include <map>
#include <stdexcept>

#include "core/kernel_list.h"

namespace structkd::bench {

#define STRUCTKD_DECLARE_LOSS(kernel, Args) Loss kernel();
STRUCTKD_KERNELS(STRUCTKD_DECLARE_LOSS)

const Loss& loss_of(const Case& c) {
#define STRUCTKD_NAMED_LOSS(kernel, Args) {#kernel, kernel()},
  static const std::map<std::string, Loss> losses = {STRUCTKD_KERNELS(STRUCTKD_NAMED_LOSS)};
  const auto found = losses.find(c.loss);
  if (found == losses.end()) {
    throw std::invalid_argument("bench/cases.json has the loss " + c.loss +
                                ", of which there is no kernel");
  }
  return found->second;
}

void require(structkd_status status) {
  if (status == STRUCTKD_OK) return;
  throw std::runtime_error(std::string(structkd_last_error()) + " (" +
                           structkd_status_name(status) + ")");
}

}  // namespace structkd::bench
