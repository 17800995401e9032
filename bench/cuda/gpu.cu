// bench/cuda/gpu.cu: the device as the bench uses it.
#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

#include "gpu.h"

namespace structkd::bench {
namespace {

// The sum is never 0xffffffff..., but the compiler does not know.
__global__ void read_all_kernel(const uint4* words, size_t count, uint32_t* unread) {
  uint32_t sum = 0;
  const size_t stride = size_t(gridDim.x) * blockDim.x;
  for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const uint4 word = words[i];
    sum |= word.x | word.y | word.z | word.w;
  }
  if (sum == 0xffffffffu) *unread = sum;
}

}  // namespace

void require(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status) + " (" +
                           cudaGetErrorName(status) + ")");
}

DeviceBytes::DeviceBytes(size_t bytes) : size_(bytes) {
  if (bytes > 0) require(cudaMalloc(&data_, bytes), "memory of the device");
}

DeviceBytes::~DeviceBytes() { cudaFree(data_); }

DeviceBytes::DeviceBytes(DeviceBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBytes& DeviceBytes::operator=(DeviceBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Gpu current_gpu() {
  int device = 0, driver = 0;
  require(cudaGetDevice(&device), "no usable GPU");
  cudaDeviceProp properties = {};
  require(cudaGetDeviceProperties(&properties, device), "the GPU does not tell its properties");
  require(cudaDriverGetVersion(&driver), "the driver does not tell its version");
  return {properties.name,
          std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10),
          properties.multiProcessorCount,
          properties.major * 10 + properties.minor,
          properties.totalGlobalMem,
          size_t(properties.l2CacheSize)};
}

Times times_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double fraction) {
    return samples[size_t(std::lround(fraction * double(samples.size() - 1)))];
  };
  return {at(0.2), at(0.5), at(0.8)};
}

Stopwatch::Stopwatch() {
  require(cudaEventCreate(&start_), "an event");
  require(cudaEventCreate(&stop_), "an event");
}

Stopwatch::~Stopwatch() {
  cudaEventDestroy(start_);
  cudaEventDestroy(stop_);
}

double Stopwatch::milliseconds() const {
  float elapsed = 0.0f;
  require(cudaEventSynchronize(stop_), "a timed call failed on the device");
  require(cudaEventElapsedTime(&elapsed, start_, stop_), "a time between events");
  return elapsed;
}

// Four times the cache: its replacement is not the strict order of use.
ColdCache::ColdCache(const Gpu& gpu) : bytes_(4 * std::max(gpu.l2, size_t(16) << 20)), unread_(4) {
  require(cudaMemset(bytes_.data(), 0, bytes_.size()), "memory of the device");
}

void ColdCache::chill(cudaStream_t stream) const {
  read_all_kernel<<<1024, 256, 0, stream>>>(static_cast<const uint4*>(bytes_.data()),
                                            bytes_.size() / sizeof(uint4),
                                            static_cast<uint32_t*>(unread_.data()));
  require(cudaGetLastError(), "launch of read_all_kernel");
}

std::vector<double> time_calls(const std::function<void()>& enqueue,
                               int runs,
                               const ColdCache* cache,
                               cudaStream_t stream) {
  constexpr int kWarmUp = 3;
  for (int i = 0; i < kWarmUp; ++i) enqueue();
  const auto watches = std::make_unique<Stopwatch[]>(size_t(runs));
  for (int i = 0; i < runs; ++i) {
    if (cache != nullptr) cache->chill(stream);
    watches[size_t(i)].start(stream);
    enqueue();
    watches[size_t(i)].stop(stream);
  }
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(watches[size_t(i)].milliseconds());
  return times;
}

}  // namespace structkd::bench
