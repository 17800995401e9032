// torch/pool.cpp: reused CPU memory.
#include "torch/pool.h"

#include <ATen/Functions.h>
#include <malloc.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "torch/errors.h"

namespace structkd {
namespace {

// `bytes` is what the memory really has, which may be more than was asked for: by that it goes
// back.
struct Block {
  void* memory;
  size_t bytes;
};

class Pool {
 public:
  // Never destroyed: tensors may die after static destructors have run.
  static Pool& instance() {
    static Pool* const pool = new Pool();
    return *pool;
  }

  Block take(size_t bytes) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      // The smallest block that fits, unless it would waste more than half of itself.
      const auto found = idle_.lower_bound(bytes);
      if (found != idle_.end() && found->first <= 2 * bytes) {
        const Block block{found->second, found->first};
        idle_bytes_ -= block.bytes;
        idle_.erase(found);
        return block;
      }
    }
    void* memory = std::aligned_alloc(STRUCTKD_ALIGNMENT, bytes);
    if (memory == nullptr) {
      raise(STRUCTKD_ERR_WORKSPACE, "out of memory: " + std::to_string(bytes) + " bytes");
    }
    return {memory, bytes};
  }

  void give_back(const Block& block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_bytes_ + block.bytes > kMaxIdleBytes) {
      std::free(block.memory);
      return;
    }
    idle_.emplace(block.bytes, block.memory);
    idle_bytes_ += block.bytes;
  }

  void release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& block : idle_) std::free(block.second);
    idle_.clear();
    idle_bytes_ = 0;
    malloc_trim(0);  // glibc keeps what it got by brk: blocks up to 32 MB, once one was freed
  }

  size_t idle_bytes() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return idle_bytes_;
  }

 private:
  std::mutex mutex_;
  std::multimap<size_t, void*> idle_;
  size_t idle_bytes_ = 0;
};

// Sizes are rounded up to powers of two and three quarters of them, so that neighbouring shapes
// share blocks.
size_t rounded(size_t bytes) {
  size_t size = 4096;
  while (size < bytes) size *= 2;
  return size - size / 4 >= bytes ? size - size / 4 : size;
}

}  // namespace

at::Tensor pooled_empty(at::IntArrayRef sizes, at::ScalarType dtype) {
  size_t bytes = c10::elementSize(dtype);
  for (const int64_t size : sizes) bytes *= size_t(size);
  const Block block = Pool::instance().take(rounded(bytes));
  return at::from_blob(
      block.memory, sizes, [block](void*) { Pool::instance().give_back(block); },
      at::TensorOptions().dtype(dtype));
}

void release_pool() { Pool::instance().release(); }

int64_t pool_idle_bytes() { return int64_t(Pool::instance().idle_bytes()); }

int64_t pool_max_idle_bytes() { return int64_t(kMaxIdleBytes); }

}  // namespace structkd
