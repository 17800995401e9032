// core/error.cpp: the calling thread's last error and last plan.
#include "core/error.h"

#include <cstdarg>
#include <cstdio>
#include <exception>

namespace structkd {
namespace {

// Fixed buffers: reporting an error must not fail for want of memory.
thread_local char last_error[1024] = "";
thread_local char last_plan[512] = "";

}  // namespace

void fail(structkd_status status, const char* format, ...) {
  char sentence[sizeof(last_error)];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(sentence, sizeof(sentence), format, arguments);
  va_end(arguments);
  throw Error{status, sentence};
}

structkd_status remember(const Error& error) noexcept {
  std::snprintf(last_error, sizeof(last_error), "%s", error.sentence.c_str());
  return error.status;
}

structkd_status remember_unknown() noexcept {
  try {
    throw;
  } catch (const std::exception& exception) {
    std::snprintf(last_error, sizeof(last_error), "internal error: %s", exception.what());
  } catch (...) {
    std::snprintf(last_error, sizeof(last_error), "internal error of an unknown type");
  }
  return STRUCTKD_ERR_INTERNAL;
}

void set_plan(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(last_plan, sizeof(last_plan), format, arguments);
  va_end(arguments);
}

}  // namespace structkd

const char* structkd_last_error(void) { return structkd::last_error; }
const char* structkd_last_plan(void) { return structkd::last_plan; }

const char* structkd_version(void) { return STRUCTKD_VERSION; }

const char* structkd_status_name(structkd_status status) {
  switch (status) {
    case STRUCTKD_OK:
      return "STRUCTKD_OK";
    case STRUCTKD_ERR_NULL:
      return "STRUCTKD_ERR_NULL";
    case STRUCTKD_ERR_SHAPE:
      return "STRUCTKD_ERR_SHAPE";
    case STRUCTKD_ERR_DTYPE:
      return "STRUCTKD_ERR_DTYPE";
    case STRUCTKD_ERR_VALUE:
      return "STRUCTKD_ERR_VALUE";
    case STRUCTKD_ERR_WORKSPACE:
      return "STRUCTKD_ERR_WORKSPACE";
    case STRUCTKD_ERR_BACKEND:
      return "STRUCTKD_ERR_BACKEND";
    case STRUCTKD_ERR_CUDA:
      return "STRUCTKD_ERR_CUDA";
    case STRUCTKD_ERR_INTERNAL:
      return "STRUCTKD_ERR_INTERNAL";
  }
  return "unknown status";
}
