// bench/cuda/measure.h: one case: is its result right, and how long does it take?
#ifndef STRUCTKD_BENCH_MEASURE_H
#define STRUCTKD_BENCH_MEASURE_H

#include <string>
#include <vector>

#include "cases.h"
#include "gpu.h"
#include "kernel_times.h"

namespace structkd::bench {

struct Figures {
  Times milliseconds;  // value and gradient, on a cold cache
  double enqueue_us;   // host time of a call: it only enqueues
  int runs;
  size_t workspace;                 // bytes
  double value_error;               // relative to the CPU in f64
  double grad_error;                // relative L2
  int checked_images;               // the first ones
  std::string plan;                 // what the library chose
  std::vector<KernelTime> kernels;  // in the order of their launches
};

// Throws a std::runtime_error that says what is wrong with the result: it must be within the error
// bound, the same bits on every run and when replayed from a CUDA graph, and all of the gradient
// must be written.
Figures measure(const Case& c, const ColdCache& cache, cudaStream_t stream);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_MEASURE_H
