// simt/async_copy.h: twins of device.cuh's async_copy. A copy is made as late as CUDA allows, in
// the wait, and its target holds NaN until then: a missing wait shows in the result.
#ifndef STRUCTKD_SIMT_ASYNC_COPY_H
#define STRUCTKD_SIMT_ASYNC_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "simt/thread.h"

namespace simt {

struct AsyncCopy {
  void* shared;
  const void* global;
  size_t bytes;
};

void begin_async_copy(const AsyncCopy& copy, Site site);
void commit_async_copies();

// The next copy that a wait for all but `pending` groups must make, or nullptr.
const AsyncCopy* next_async_copy(unsigned pending);

}  // namespace simt

namespace structkd::cuda {
namespace {

template <int Bytes>
inline void async_copy(void* shared, const void* global, simt::Site site = simt::here()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async knows 4, 8 and 16 bytes");
  simt::begin_async_copy({shared, global, Bytes}, site);
}

inline void async_copy_commit() { simt::commit_async_copies(); }

// The copies are made here, in the kernel's unit, for sanitizers and the tracer to see them.
template <int Pending>
inline void async_copy_wait() {
  while (const simt::AsyncCopy* copy = simt::next_async_copy(Pending)) {
    switch (copy->bytes) {
      case 4:
        *static_cast<uint32_t*>(copy->shared) = *static_cast<const uint32_t*>(copy->global);
        break;
      case 8:
        *static_cast<uint2*>(copy->shared) = *static_cast<const uint2*>(copy->global);
        break;
      default:
        *static_cast<uint4*>(copy->shared) = *static_cast<const uint4*>(copy->global);
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_SIMT_ASYNC_COPY_H
