// src/test/cpp/memory.h: memory that a backend and the test itself both reach. All that a test
// hands to the C API comes from here. It is plain memory; the tests of the backend "cuda" link
// src/test/cuda/memory.cu instead of memory.cpp, whose memory a GPU reads and writes directly.
#ifndef STRUCTKD_TEST_MEMORY_H
#define STRUCTKD_TEST_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <utility>

namespace structkd::test {

// Memory of exactly `bytes`, so that sanitizers see every overrun, on STRUCTKD_ALIGNMENT. Nobody
// may rely on zeros: all bits are set.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t bytes);
  ~AlignedBytes();
  AlignedBytes(AlignedBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBytes& operator=(AlignedBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_;
  size_t size_;
};

// One number: a loss, a step, a condition number.
template <class T>
class Scalar {
 public:
  explicit Scalar(T value) : bytes_(sizeof(T)) { *get() = value; }
  T* get() { return reinterpret_cast<T*>(bytes_.data()); }
  const T* get() const { return reinterpret_cast<const T*>(bytes_.data()); }

 private:
  AlignedBytes bytes_;
};

// Waits for the calls of this thread: those of a GPU only enqueue. Fails the test if one of them
// went wrong on the device.
void finish_calls();

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_MEMORY_H
