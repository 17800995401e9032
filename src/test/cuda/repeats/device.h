// src/test/cuda/repeats/device.h: memory and streams of the device whose kernels are repeated: a
// GPU (gpu.cu) or the emulator (emulated.cpp). Unlike what AlignedBytes has, a GPU's memory here is
// its own, with its caches, which is what fences are about.
#ifndef STRUCTKD_TEST_REPEATS_DEVICE_H
#define STRUCTKD_TEST_REPEATS_DEVICE_H

#include <cstddef>
#include <vector>

namespace structkd::test {

struct RepeatedDevice {
  const char* backend;  // as structkd_ctx has it
  int calls;            // of each loss, if STRUCTKD_REPEATS says no other number
  bool large_shapes;    // are not too slow
};
extern const RepeatedDevice kRepeatedDevice;

class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;

  void* data() const { return data_; }
  void fill(int byte, void* stream) const;
  // From memory of the CPU, before anything is enqueued.
  void copy_from(const void* bytes) const;
  // To memory of the CPU, after finish_calls().
  void copy_to(std::vector<unsigned char>& bytes) const;

 private:
  void* data_ = nullptr;
  size_t size_;
};

// Streams that run beside each other, for as long as the process.
std::vector<void*> device_streams(int count);

// What changes between rounds beside the calls: for the emulator the order of threads and blocks.
void begin_round(int round);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_REPEATS_DEVICE_H
