// simt/shared_arena.h: where the shared arrays of a block lie: each exactly aligned to its type and
// no more, between gaps that AddressSanitizer lets nobody touch.
#ifndef STRUCTKD_SIMT_SHARED_ARENA_H
#define STRUCTKD_SIMT_SHARED_ARENA_H

#include "simt/race_detector.h"
#include "simt/thread.h"

namespace simt {

class SharedArena {
 public:
  // A new block: nothing is there but `dynamic_bytes`.
  void reset(size_t dynamic_bytes);

  void* array(const void* tag, size_t bytes, size_t alignment, Site site);
  void* dynamic() const { return dynamic_; }
  bool contains(const void* memory, size_t bytes) const;

 private:
  struct Array {
    const void* tag;
    char* begin;
    size_t bytes;
  };
  static constexpr unsigned kMostArrays = 64;

  char* take(size_t bytes, size_t alignment);

  FreshMemory memory_;
  char* next_ = nullptr;
  char* dynamic_ = nullptr;
  size_t dynamic_bytes_ = 0, static_bytes_ = 0;
  unsigned count_ = 0;
  Array arrays_[kMostArrays];
};

}  // namespace simt

#endif  // STRUCTKD_SIMT_SHARED_ARENA_H
