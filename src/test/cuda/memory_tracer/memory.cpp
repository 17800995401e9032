// memory_tracer/memory.cpp: memory.h's for kernels whose accesses are counted.
#include "memory.h"

#include <cstdlib>
#include <cstring>

#include "memory_tracer/memory_tracer.h"
#include "structkd/core.h"

namespace structkd::test {

AlignedBytes::AlignedBytes(size_t bytes) : size_(bytes) {
  // As cudaMalloc aligns: whether a row begins with a sector must not depend on chance.
  constexpr size_t kAlignment = 256;
  data_ = static_cast<uint8_t*>(aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment));
  std::memset(data_, 0xff, bytes);
  memory_tracer::add_global_memory(data_, bytes);
}

AlignedBytes::~AlignedBytes() {
  memory_tracer::remove_global_memory(data_);
  std::free(data_);
}

void finish_calls() {}

}  // namespace structkd::test
