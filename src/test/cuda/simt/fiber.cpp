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

void Fiber::prepare(void (*entry)(), char* stack, size_t bytes) {
  stack_ = stack;
  stack_bytes_ = bytes;
  fake_stack_ = nullptr;
  race_fiber_ = race_detector::create_fiber();
#ifdef STRUCTKD_SIMT_UCONTEXT
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack;
  context_.uc_stack.ss_size = bytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
#else
  void** top = reinterpret_cast<void**>(stack + bytes);
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
  race_detector::retire_fiber(race_fiber_);
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(nullptr, to.stack_, to.stack_bytes_);
  }
  jump_to(to);
  __builtin_unreachable();
}

// AddressSanitizer's frames are larger. Kernels keep little on the stack: it is registers on a
// device.
size_t Stacks::bytes() { return __sanitizer_start_switch_fiber != nullptr ? 256 << 10 : 64 << 10; }

size_t Stacks::guard() {
  static const size_t page = size_t(sysconf(_SC_PAGESIZE));
  return page;
}

void Stacks::provide(unsigned count) {
  if (!memory_.renew(count * stride())) return;
  for (unsigned i = 0; i < count; ++i) {
    if (mprotect(memory_.data() + i * stride(), guard(), PROT_NONE) != 0) {
      fail("no memory for the stacks of %u threads", count);
    }
  }
}

}  // namespace simt
