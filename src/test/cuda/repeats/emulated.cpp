// src/test/cuda/repeats/emulated.cpp: the emulator, where each call ends before it returns.
#include <cstdlib>
#include <cstring>
#include <string>

#include "repeats/device.h"
#include "structkd/core.h"

namespace structkd::test {

const RepeatedDevice kRepeatedDevice = {"cuda-emulated", 10, false};

DeviceMemory::DeviceMemory(size_t bytes) : size_(bytes) {
  const size_t blocks = bytes / STRUCTKD_ALIGNMENT + 1;
  data_ = std::aligned_alloc(STRUCTKD_ALIGNMENT, blocks * STRUCTKD_ALIGNMENT);
}

DeviceMemory::~DeviceMemory() { std::free(data_); }

void DeviceMemory::fill(int byte, void*) const { std::memset(data_, byte, size_); }

void DeviceMemory::copy_from(const void* bytes) const { std::memcpy(data_, bytes, size_); }

void DeviceMemory::copy_to(std::vector<unsigned char>& bytes) const {
  bytes.resize(size_);
  std::memcpy(bytes.data(), data_, size_);
}

std::vector<void*> device_streams(int count) {
  return std::vector<void*>(static_cast<size_t>(count), nullptr);
}

void begin_round(int round) {
  setenv("STRUCTKD_SIMT_ORDER", ("random:" + std::to_string(round)).c_str(), 1);
}

}  // namespace structkd::test
