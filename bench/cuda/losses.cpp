// bench/cuda/losses.cpp: the list of the losses.
#include "losses.h"

#include <map>
#include <stdexcept>

namespace structkd::bench {

const Loss& loss_of(const Case& c) {
  static const std::map<std::string, Loss> losses = {
      {"pairwise", pairwise()},
      {"pixelwise", pixelwise()},
      {"inter_class_similarity", inter_class_similarity()},
      {"global_structural_sample", global_structural_sample()},
      {"global_structural", global_structural()},
  };
  const auto found = losses.find(c.loss);
  if (found == losses.end()) {
    throw std::invalid_argument("bench/cases.json has the loss " + c.loss +
                                ", of which bench/cuda/losses has no file");
  }
  return found->second;
}

void require(structkd_status status) {
  if (status == STRUCTKD_OK) return;
  throw std::runtime_error(std::string(structkd_last_error()) + " (" +
                           structkd_status_name(status) + ")");
}

}  // namespace structkd::bench
