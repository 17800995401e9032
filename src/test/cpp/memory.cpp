// src/test/cpp/memory.cpp: plain memory, for backends that compute on the CPU before they return.
#include "memory.h"

#include <cstdlib>
#include <cstring>

#include "structkd/core.h"

namespace structkd::test {

AlignedBytes::AlignedBytes(size_t bytes) : size_(bytes) {
  // aligned_alloc wants a multiple of the alignment: put the end of the block at the end of the
  // request.
  void* memory = nullptr;
  if (posix_memalign(&memory, STRUCTKD_ALIGNMENT, bytes > 0 ? bytes : 1) != 0) std::abort();
  data_ = static_cast<uint8_t*>(memory);
  std::memset(data_, 0xff, bytes);
}

AlignedBytes::~AlignedBytes() { std::free(data_); }

void finish_calls() {}

}  // namespace structkd::test
