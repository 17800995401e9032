// torch/library.cpp: what the kernel library tells about itself.
#include <string>

#include "structkd/structkd.h"
#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {

std::string version() { return structkd_version(); }

std::string last_plan() { return structkd_last_plan(); }

std::string backend_names() {
  std::string names;
  for (int i = 0; const char* name = structkd_backend_name(i); ++i) {
    names += (i > 0 ? "," : "") + std::string(name);
  }
  return names;
}

std::string backend_description(const std::string& backend) {
  const char* description = structkd_backend_description(backend.c_str());
  if (description == nullptr) {
    raise(STRUCTKD_ERR_BACKEND,
          "there is no backend \"" + backend + "\", expected one of: " + backend_names());
  }
  return description;
}

}  // namespace structkd
