// src/test/cuda/memory.cu: memory of the CPU that a GPU reads and writes at the same addresses:
// page-locked, no managed memory. Each access of a kernel goes over the bus, which is slow but lets
// the tests of the CPU backends run unchanged.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "memory.h"

namespace structkd::test {
namespace {

// Locking pages is a system call and freeing them waits for the device, so blocks are kept for the
// next request of their size. Never destroyed: static Scalars are released at the very end.
std::vector<uint8_t*>& idle_blocks(size_t size) {
  static auto& blocks = *new std::map<size_t, std::vector<uint8_t*>>;
  return blocks[size];
}

// Few different sizes: powers of two from a page on.
size_t block_size(size_t bytes) {
  size_t size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

}  // namespace

AlignedBytes::AlignedBytes(size_t bytes) : size_(bytes) {
  std::vector<uint8_t*>& idle = idle_blocks(block_size(bytes));
  if (idle.empty()) {
    void* memory = nullptr;
    const cudaError_t status = cudaMallocHost(&memory, block_size(bytes));
    if (status != cudaSuccess) {
      std::fprintf(stderr, "no page-locked memory: %s\n", cudaGetErrorString(status));
      std::abort();
    }
    data_ = static_cast<uint8_t*>(memory);
  } else {
    data_ = idle.back();
    idle.pop_back();
  }
  std::memset(data_, 0xff, block_size(bytes));
}

AlignedBytes::~AlignedBytes() {
  if (data_ != nullptr) idle_blocks(block_size(size_)).push_back(data_);
}

void finish_calls() {
  const cudaError_t status = cudaDeviceSynchronize();
  ASSERT_EQ(cudaSuccess, status) << cudaGetErrorString(status);
}

}  // namespace structkd::test
