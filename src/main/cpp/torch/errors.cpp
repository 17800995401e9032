// torch/errors.cpp: from status to exception.
#include "torch/errors.h"

#include <stdexcept>

namespace structkd {

void raise(structkd_status status, const std::string& sentence) {
  throw std::runtime_error("structkd[" + std::string(structkd_status_name(status)) +
                           "]: " + sentence);
}

void check(structkd_status status) {
  if (status != STRUCTKD_OK) raise(status, structkd_last_error());
}

}  // namespace structkd
