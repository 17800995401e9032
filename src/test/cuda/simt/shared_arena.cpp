#include "simt/shared_arena.h"

#include "simt/block.h"
#include "simt/device.h"
#include "simt/report.h"
#include "simt/runtime_api.h"
#include "simt/shared_memory.h"

// Of sanitizer/asan_interface.h. Weak: null where libasan is not linked.
extern "C" {
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* memory, size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* memory, size_t bytes);
}

namespace simt {
namespace {

constexpr size_t kGap = 256;  // more than the widest row by which an index tends to be off

// NaN in each float type. By a loop that stays one: memset would be intercepted by libtsan.
void poison(char* memory, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<volatile char*>(memory)[i] = char(0xff);
}

}  // namespace

void SharedArena::reset(size_t dynamic_bytes) {
  constexpr size_t kBytes = kMaxShared + (kMostArrays + 2) * 2 * kGap;
  memory_.renew(kBytes);
  if (__asan_poison_memory_region != nullptr) {
    __asan_poison_memory_region(memory_.data(), kBytes);
  }
  next_ = memory_.data();
  count_ = 0;
  static_bytes_ = 0;
  dynamic_bytes_ = dynamic_bytes;
  dynamic_ = take(dynamic_bytes, 16);
}

// The next multiple of the alignment that is none of twice the alignment: a wider access than the
// type allows faults here, or is reported by UBSan, instead of on one device or another.
char* SharedArena::take(size_t bytes, size_t alignment) {
  const uintptr_t unit = 2 * alignment;
  const uintptr_t start = reinterpret_cast<uintptr_t>(next_) + kGap;
  char* const begin = next_ + kGap + ((start + unit - 1) / unit * unit - start) + alignment;
  next_ = begin + bytes;
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(begin, bytes);
  poison(begin, bytes);
  return begin;
}

void* SharedArena::array(const void* tag, size_t bytes, size_t alignment, Site site) {
  for (unsigned i = 0; i < count_; ++i) {
    if (arrays_[i].tag == tag) return arrays_[i].begin;
  }
  static_bytes_ += bytes;
  if (static_bytes_ > kMaxStaticShared || static_bytes_ + dynamic_bytes_ > device().max_shared) {
    fail(
        "%zu bytes of static and %zu of dynamic shared memory at %s:%d; at most %zu static, "
        "%zu in all",
        static_bytes_, dynamic_bytes_, site.file, site.line, kMaxStaticShared, device().max_shared);
  }
  if (count_ == kMostArrays) fail("more than %u shared arrays", kMostArrays);
  arrays_[count_] = {tag, take(bytes, alignment), bytes};
  return arrays_[count_++].begin;
}

bool SharedArena::contains(const void* memory, size_t bytes) const {
  const auto in = [&](const char* begin, size_t size) {
    const char* p = static_cast<const char*>(memory);
    return p >= begin && bytes <= size && p <= begin + (size - bytes);
  };
  if (in(dynamic_, dynamic_bytes_)) return true;
  for (unsigned i = 0; i < count_; ++i) {
    if (in(arrays_[i].begin, arrays_[i].bytes)) return true;
  }
  return false;
}

void* shared_array(const void* tag, size_t bytes, size_t alignment, Site site) {
  return running_thread().owner->shared.array(tag, bytes, alignment, site);
}

void* dynamic_shared() { return running_thread().owner->shared.dynamic(); }

}  // namespace simt
