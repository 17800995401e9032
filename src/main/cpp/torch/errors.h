// torch/errors.h: a status of the C API as a C++ exception that Java can read back.
#ifndef STRUCTKD_TORCH_ERRORS_H
#define STRUCTKD_TORCH_ERRORS_H

#include <string>

#include "structkd/core.h"

namespace structkd {

// Throws std::runtime_error "structkd[STRUCTKD_ERR_SHAPE]: sentence". The Java side splits the text
// at the colon (org.structkd.internal.NativeCall): the only way for a status through JNI.
[[noreturn]] void raise(structkd_status status, const std::string& sentence);

// Raises with this thread's last error unless the status is OK.
void check(structkd_status status);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_ERRORS_H
