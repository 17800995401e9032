// bench/cuda/gpu.h: the device as the bench uses it: memory, a cold cache, times between events.
#ifndef STRUCTKD_BENCH_GPU_H
#define STRUCTKD_BENCH_GPU_H

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace structkd::bench {

// Throws a std::runtime_error that says what failed and why.
void require(cudaError_t status, const char* what);

// Memory of the device; nobody initialises it.
class DeviceBytes {
 public:
  explicit DeviceBytes(size_t bytes = 0);
  ~DeviceBytes();
  DeviceBytes(DeviceBytes&& other) noexcept;
  DeviceBytes& operator=(DeviceBytes&& other) noexcept;

  void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

struct Gpu {
  std::string name;    // "NVIDIA H100 80GB HBM3"
  std::string driver;  // CUDA version of the driver, "13.0"
  int multiprocessors;
  int capability;  // 90
  size_t memory, l2;
};

// The current device. Throws if there is none.
Gpu current_gpu();

// Fractions of a sorted sample, as the other benchmarks report them.
struct Times {
  double p20, p50, p80;
};
Times times_of(std::vector<double> samples);

// Milliseconds of work that has been enqueued on a stream between two events.
class Stopwatch {
 public:
  Stopwatch();
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  void start(cudaStream_t stream) { require(cudaEventRecord(start_, stream), "start of a time"); }
  void stop(cudaStream_t stream) { require(cudaEventRecord(stop_, stream), "end of a time"); }
  double milliseconds() const;  // waits for the end

 private:
  cudaEvent_t start_, stop_;
};

// Empties the L2 cache of what a timed call could find there. By reading: lines left behind by
// writing would be written back during the call, at its cost.
class ColdCache {
 public:
  explicit ColdCache(const Gpu& gpu);
  void chill(cudaStream_t stream) const;

 private:
  DeviceBytes bytes_, unread_;
};

// Times `runs` calls, each on a cold cache (unless cache is NULL) after a few to warm up.
std::vector<double> time_calls(const std::function<void()>& enqueue,
                               int runs,
                               const ColdCache* cache,
                               cudaStream_t stream);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_GPU_H
