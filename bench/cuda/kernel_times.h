// bench/cuda/kernel_times.h: the kernels of one call, from a CUDA graph that has captured it.
#ifndef STRUCTKD_BENCH_KERNEL_TIMES_H
#define STRUCTKD_BENCH_KERNEL_TIMES_H

#include <functional>
#include <string>
#include <vector>

#include "gpu.h"

namespace structkd::bench {

struct KernelTime {
  std::string name;  // "gram_tile_kernel<float, 64>"
  unsigned grid[3], block[3];
  int registers;
  size_t shared_bytes;  // static and dynamic
  double milliseconds;  // median; kernels run one by one, the first one on a cold cache
};

// A call that was captured.
class CapturedCall {
 public:
  // Throws if the call cannot be captured: it allocates, synchronises or uses another stream.
  CapturedCall(const std::function<void()>& enqueue, cudaStream_t stream);
  ~CapturedCall();
  CapturedCall(const CapturedCall&) = delete;

  void replay() const;
  std::vector<KernelTime> kernel_times(int runs, const ColdCache& cache) const;

 private:
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_KERNEL_TIMES_H
