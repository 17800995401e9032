// simt/race_detector.h: tells ThreadSanitizer which CUDA threads there are and what orders them.
// Each function does nothing unless kernels were compiled with -fsanitize=thread and libtsan is
// there.
//
// What hides races, and so is avoided:
// * Instrumented runtime code: its own accesses would order threads, or race. The runtime is
// compiled
//   without -fsanitize=thread, shares no template instance with kernels, and copies kernel data by
//   loops of its own, as memcpy and memset are intercepted.
// * Switching fibers with an implied happens-before.
// * Sync objects and memory with a past: blocks must not be ordered by reusing an address. See
//   FreshMemory.
// * One fiber for threads that nothing orders: see FiberPlaces.
#ifndef STRUCTKD_SIMT_RACE_DETECTOR_H
#define STRUCTKD_SIMT_RACE_DETECTOR_H

#include <stddef.h>

namespace simt::race_detector {

bool present();

void* create_fiber();
void* current_fiber();
void switch_to(void* fiber);

// What came before a release of an object happens before what follows an acquire of it.
void release(void* object);
void acquire(void* object);

// Reports races of accesses that are not made by instrumented code.
void note_read(const void* memory, size_t bytes);
void note_write(void* memory, size_t bytes);

}  // namespace simt::race_detector

namespace simt {

// Mapped memory that, for the race detector, nobody touched before. Without one it is reused.
class FreshMemory {
 public:
  FreshMemory() = default;
  FreshMemory(const FreshMemory&) = delete;
  FreshMemory& operator=(const FreshMemory&) = delete;

  // True if the memory is another than before.
  bool renew(size_t bytes);
  char* data() const { return data_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace simt

#endif  // STRUCTKD_SIMT_RACE_DETECTOR_H
