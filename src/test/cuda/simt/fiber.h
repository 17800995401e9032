// simt/fiber.h: flows of control with stacks of their own, switched by hand.
#ifndef STRUCTKD_SIMT_FIBER_H
#define STRUCTKD_SIMT_FIBER_H

#include <stddef.h>

#include <vector>

#include "simt/race_detector.h"

// Where there is no switch of our own. Also forced by tests, as it is several times slower.
#if !defined(__x86_64__) && !defined(STRUCTKD_SIMT_UCONTEXT)
#define STRUCTKD_SIMT_UCONTEXT
#endif
#ifdef STRUCTKD_SIMT_UCONTEXT
#include <ucontext.h>
#endif

namespace simt {

struct FiberPlace {
  char* stack;
  size_t bytes;
  void* race_fiber;
};

class Fiber {
 public:
  // The fiber that calls, with the stack it has.
  void adopt_caller();

  // The next switch to this fiber starts `entry` at that place, its stack beginning `shift` bytes
  // below the top. `entry` calls started() first and never returns.
  void prepare(void (*entry)(), const FiberPlace& place, size_t shift);
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

// Stacks with identities, made on demand and used again. The race detector takes what runs on the
// same one for the same thread, whose accesses cannot race, so neighbouring blocks are given
// different ones.
class FiberPlaces {
 public:
  // Launches are ordered: each may have all places.
  void start_launch() { used_ = 0; }
  void start_block(unsigned threads);
  FiberPlace& next();

 private:
  std::vector<FiberPlace> places_;
  size_t used_ = 0;
};

}  // namespace simt

#endif  // STRUCTKD_SIMT_FIBER_H
