#include "simt/fiber.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "simt/report.h"

// Of sanitizer/common_interface_defs.h. Weak: null where libasan is not linked.
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack,
                                                  const void* stack,
                                                  size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack,
                                                   const void** old_stack,
                                                   size_t* old_bytes);
}

#ifndef STRUCTKD_SIMT_UCONTEXT
// Saves what the System V ABI lets a callee keep, exchanges the stack pointers, restores. The
// return address is on the stack: a prepared stack holds six zeros and the entry.
extern "C" void structkd_simt_switch(void** saved_stack_pointer, void* stack_pointer);
asm(R"(
.text
.type structkd_simt_switch, @function
structkd_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size structkd_simt_switch, . - structkd_simt_switch
)");
#endif

namespace simt {
namespace {

Fiber* left_last = nullptr;

}  // namespace

void Fiber::adopt_caller() { race_fiber_ = race_detector::current_fiber(); }

void Fiber::prepare(void (*entry)(), const FiberPlace& place, size_t shift) {
  stack_ = place.stack;
  stack_bytes_ = place.bytes - shift;
  fake_stack_ = nullptr;
  race_fiber_ = place.race_fiber;
#ifdef STRUCTKD_SIMT_UCONTEXT
  getcontext(&context_);
  context_.uc_stack.ss_sp = place.stack;
  context_.uc_stack.ss_size = stack_bytes_;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
#else
  void** top = reinterpret_cast<void**>(place.stack + stack_bytes_);
  *--top = nullptr;  // the entry's return address: none. Aligns its frame as a call would
  *--top = reinterpret_cast<void*>(entry);
  for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
  stack_pointer_ = top;
#endif
}

void Fiber::started() {
  // The adopted fiber's stack becomes known here, when it has been left for the first time.
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fake_stack_, &left_last->stack_, &left_last->stack_bytes_);
  }
}

void Fiber::jump_to(Fiber& to) {
  left_last = this;
  race_detector::switch_to(to.race_fiber_);
#ifdef STRUCTKD_SIMT_UCONTEXT
  swapcontext(&context_, &to.context_);
#else
  structkd_simt_switch(&stack_pointer_, to.stack_pointer_);
#endif
}

void Fiber::switch_to(Fiber& to) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&fake_stack_, to.stack_, to.stack_bytes_);
  }
  jump_to(to);
  started();
}

void Fiber::leave_for(Fiber& to) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(nullptr, to.stack_, to.stack_bytes_);
  }
  jump_to(to);
  __builtin_unreachable();
}

void FiberPlaces::start_block(unsigned threads) {
  // Enough for two blocks of any size and four of 256 threads. No more, as libtsan's time for a
  // barrier grows with the number of identities in the process.
  const unsigned most = threads > 512 ? 2 * threads : 1024;
  if (!race_detector::present() || used_ + threads > most) used_ = 0;
}

FiberPlace& FiberPlaces::next() {
  if (used_ < places_.size()) return places_[used_++];

  // Kernels keep little on the stack: it is registers on a device. AddressSanitizer's frames are
  // larger.
  const size_t bytes = __sanitizer_start_switch_fiber != nullptr ? 256 << 10 : 64 << 10;
  const size_t guard = size_t(sysconf(_SC_PAGESIZE));  // what nobody may touch
  void* memory = mmap(nullptr, guard + bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
    fail("no memory for the stack of thread %zu", used_);
  }
  places_.push_back({static_cast<char*>(memory) + guard, bytes, race_detector::create_fiber()});
  return places_[used_++];
}

}  // namespace simt
