// core/error.h: how the C++ side reports a failed call; C callers see a status and a sentence.
#ifndef STRUCTKD_CORE_ERROR_H
#define STRUCTKD_CORE_ERROR_H

#include <string>

#include "structkd/core.h"

namespace structkd {

// Thrown by checks and backends, translated to a status at the C boundary.
struct Error {
  structkd_status status;
  std::string sentence;
};

// printf-style: throws an Error.
[[noreturn]] STRUCTKD_API void fail(structkd_status status, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

// Keeps the sentence for structkd_last_error() and returns the status.
STRUCTKD_API structkd_status remember(const Error& error) noexcept;
STRUCTKD_API structkd_status remember_unknown() noexcept;

// printf-style: what structkd_last_plan() tells. Backends call it once per loss call.
STRUCTKD_API void set_plan(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The only place where an exception meets extern "C".
template <class Body>
structkd_status guarded(Body&& body) noexcept {
  try {
    body();
    return STRUCTKD_OK;
  } catch (const Error& error) {
    return remember(error);
  } catch (...) {
    return remember_unknown();
  }
}

}  // namespace structkd

#endif  // STRUCTKD_CORE_ERROR_H
