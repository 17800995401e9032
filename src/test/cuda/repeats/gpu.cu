// src/test/cuda/repeats/gpu.cu: a GPU.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>

#include "repeats/device.h"

namespace structkd::test {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

void require(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  std::abort();  // a device that failed is lost to the process
}

}  // namespace

const RepeatedDevice kRepeatedDevice = {"cuda", 10000, true};

DeviceMemory::DeviceMemory(size_t bytes) : size_(bytes) {
  if (bytes > 0) require(cudaMalloc(&data_, bytes), "memory of the device");
}

DeviceMemory::~DeviceMemory() { cudaFree(data_); }

void DeviceMemory::fill(int byte, void* stream) const {
  require(cudaMemsetAsync(data_, byte, size_, stream_of(stream)), "memory of the device");
}

void DeviceMemory::copy_from(const void* bytes) const {
  require(cudaMemcpy(data_, bytes, size_, cudaMemcpyHostToDevice), "a copy to the device");
}

void DeviceMemory::copy_to(std::vector<unsigned char>& bytes) const {
  bytes.resize(size_);
  require(cudaMemcpy(bytes.data(), data_, size_, cudaMemcpyDeviceToHost), "a copy from the device");
}

std::vector<void*> device_streams(int count) {
  std::vector<void*> streams;
  for (int i = 0; i < count; ++i) {
    cudaStream_t stream = nullptr;
    require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    streams.push_back(stream);
  }
  return streams;
}

void begin_round(int) {}

}  // namespace structkd::test
