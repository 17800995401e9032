#include "simt/race_detector.h"

#include <sys/mman.h>

#include "simt/report.h"

// Of sanitizer/tsan_interface.h. Weak: null where libtsan is not linked.
extern "C" {
[[gnu::weak]] void* __tsan_get_current_fiber(void);
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* object);
[[gnu::weak]] void __tsan_release(void* object);
[[gnu::weak]] void __tsan_read_range(void* memory, unsigned long bytes);
[[gnu::weak]] void __tsan_write_range(void* memory, unsigned long bytes);
}

namespace simt {
namespace race_detector {
namespace {

constexpr unsigned kNoSync = 1;  // __tsan_switch_to_fiber_no_sync

}  // namespace

bool present() { return __tsan_create_fiber != nullptr; }

void* create_fiber() { return present() ? __tsan_create_fiber(0) : nullptr; }

void* current_fiber() { return present() ? __tsan_get_current_fiber() : nullptr; }

void switch_to(void* fiber) {
  if (present()) __tsan_switch_to_fiber(fiber, kNoSync);
}

void release(void* object) {
  if (present()) __tsan_release(object);
}

void acquire(void* object) {
  if (present()) __tsan_acquire(object);
}

// The memory tracer has functions of these names, too, but no fibers.
void note_read(const void* memory, size_t bytes) {
  if (present()) __tsan_read_range(const_cast<void*>(memory), bytes);
}

void note_write(void* memory, size_t bytes) {
  if (present()) __tsan_write_range(memory, bytes);
}

}  // namespace race_detector

bool FreshMemory::renew(size_t bytes) {
  if (bytes <= bytes_ && !race_detector::present()) return false;
  // Unmapping makes libtsan forget; the new mapping may lie at the same place.
  if (data_ != nullptr) munmap(data_, bytes_);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("no memory for a block");
  data_ = static_cast<char*>(memory);
  bytes_ = bytes;
  return true;
}

}  // namespace simt
