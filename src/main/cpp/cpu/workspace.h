// cpu/workspace.h: lays arrays out in a workspace. The same code run on a null base counts the
// bytes, so that size and layout cannot drift apart.
#ifndef STRUCTKD_CPU_WORKSPACE_H
#define STRUCTKD_CPU_WORKSPACE_H

#include "cpu/isa.h"
#include "structkd/core.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

class Workspace {
 public:
  explicit Workspace(void* base) : next_(reinterpret_cast<uintptr_t>(base)), base_(next_) {}

  template <class T>
  T* take(int64_t count) {
    T* start = reinterpret_cast<T*>(next_);
    next_ += uintptr_t(round_up(count * int64_t(sizeof(T)), STRUCTKD_ALIGNMENT));
    return start;
  }

  size_t bytes() const { return size_t(next_ - base_); }

 private:
  uintptr_t next_;  // an integer: arithmetic on a null pointer is undefined
  uintptr_t base_;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_WORKSPACE_H
