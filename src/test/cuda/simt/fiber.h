// simt/fiber.h: flows of control with stacks of their own, switched by hand.
#ifndef STRUCTKD_SIMT_FIBER_H
#define STRUCTKD_SIMT_FIBER_H

#include <stddef.h>

#include "simt/race_detector.h"

// Where there is no switch of our own. Also forced by tests, as it is several times slower.
#if !defined(__x86_64__) && !defined(STRUCTKD_SIMT_UCONTEXT)
#define STRUCTKD_SIMT_UCONTEXT
#endif
#ifdef STRUCTKD_SIMT_UCONTEXT
#include <ucontext.h>
#endif

namespace simt {

class Fiber {
 public:
  // The fiber that calls, with the stack it has.
  void adopt_caller();

  // The next switch to this fiber starts `entry`, which calls started() first and never returns.
  void prepare(void (*entry)(), char* stack, size_t bytes);
  void started();

  // Goes to `to` until someone switches back to this fiber, which must be the running one.
  void switch_to(Fiber& to);

  // Goes to `to` for good.
  [[noreturn]] void leave_for(Fiber& to);

 private:
  void jump_to(Fiber& to);

#ifdef STRUCTKD_SIMT_UCONTEXT
  ucontext_t context_;
#else
  void* stack_pointer_ = nullptr;
#endif
  const void* stack_ = nullptr;
  size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* race_fiber_ = nullptr;  // ThreadSanitizer's
};

// Stacks for the fibers of a block, each above a page that nothing may touch.
class Stacks {
 public:
  // Fresh for the race detector.
  void provide(unsigned count);
  char* stack(unsigned i) const { return memory_.data() + i * stride() + guard(); }
  static size_t bytes();

 private:
  static size_t guard();
  static size_t stride() { return guard() + bytes(); }

  FreshMemory memory_;
};

}  // namespace simt

#endif  // STRUCTKD_SIMT_FIBER_H
