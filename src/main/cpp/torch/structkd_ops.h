// torch/structkd_ops.h: what Java calls. JavaCPP writes a JNI bridge for each function that
// org.structkd.internal.NativeOps names; errors are C++ exceptions (torch/errors.h).
#ifndef STRUCTKD_TORCH_STRUCTKD_OPS_H
#define STRUCTKD_TORCH_STRUCTKD_OPS_H

#include <ATen/core/Tensor.h>

#include <string>

#include "structkd/core.h"

namespace structkd {

// Version of the kernel library.
STRUCTKD_API std::string version();

// What the last loss call on this thread chose; "" if there was none.
STRUCTKD_API std::string last_plan();

// Names of the registered backends, in the order of their registration, separated by commas.
STRUCTKD_API std::string backend_names();

// What a backend runs on, such as "avx512".
STRUCTKD_API std::string backend_description(const std::string& backend);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_STRUCTKD_OPS_H
