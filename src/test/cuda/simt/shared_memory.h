// simt/shared_memory.h: __shared__ arrays. A section or a static array would do for plain kernels,
// but g++ ignores section attributes in function templates, so that poison and bounds would be lost
// there. So each array comes out of the block's arena, found by the address of a tag of its
// declaration.
#ifndef STRUCTKD_SIMT_SHARED_MEMORY_H
#define STRUCTKD_SIMT_SHARED_MEMORY_H

#include <stddef.h>

#include "simt/thread.h"

namespace simt {

// The block's array of that tag: all bytes 0xff (a NaN in each float type) when first asked for.
void* shared_array(const void* tag, size_t bytes, size_t alignment, Site site);

// The block's dynamic shared memory, exactly as large as launched.
void* dynamic_shared();

}  // namespace simt

#define STRUCTKD_SHARED(type, name, extent)                              \
  using name##_array_ = type extent;                                     \
  static char name##_tag_;                                               \
  name##_array_& name = *static_cast<name##_array_*>(simt::shared_array( \
      &name##_tag_, sizeof(name##_array_), alignof(name##_array_), simt::here()))

#define STRUCTKD_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(simt::dynamic_shared())

#endif  // STRUCTKD_SIMT_SHARED_MEMORY_H
