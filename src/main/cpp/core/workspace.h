// core/workspace.h: lays arrays out in a workspace. The same code run on a null base counts the
// bytes, so that size and layout cannot drift apart. Plain data: safe in per-ISA and CUDA sources.
#ifndef STRUCTKD_CORE_WORKSPACE_H
#define STRUCTKD_CORE_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>

#include "structkd/core.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

class Workspace {
 public:
  explicit Workspace(void* base) : next_(reinterpret_cast<uintptr_t>(base)), base_(next_) {}

  template <class T>
  T* take(int64_t count) {
    T* start = reinterpret_cast<T*>(next_);
    const uintptr_t bytes = uintptr_t(count) * sizeof(T), unit = STRUCTKD_ALIGNMENT;
    next_ += (bytes + unit - 1) / unit * unit;
    return start;
  }

  size_t bytes() const { return size_t(next_ - base_); }

 private:
  uintptr_t next_;  // an integer: arithmetic on a null pointer is undefined
  uintptr_t base_;
};

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_WORKSPACE_H
