// bench/cuda/problem.h: the arrays of one case on the device, filled with seeded numbers there, and
// copies of them in f64 on the CPU.
#ifndef STRUCTKD_BENCH_PROBLEM_H
#define STRUCTKD_BENCH_PROBLEM_H

#include <vector>

#include "arrays.h"
#include "gpu.h"

namespace structkd::bench {

class Problem {
 public:
  Problem(const Case& c, cudaStream_t stream);

  // Views of the first `images` images; all arrays stay in place. Outputs hold what the last call
  // wrote.
  Arrays arrays(int64_t images) const;

  // The bytes that a call on all images writes.
  struct Span {
    void* data;
    size_t bytes;
  };
  std::vector<Span> outputs() const;

 private:
  Case case_;
  DeviceBytes student_, teacher_, labels_, indices_, counts_, step_, loss_, grad_;
};

// The same case on the CPU, in f64: inputs widened element by element.
class HostProblem {
 public:
  // The first `images` images of a case on the device.
  HostProblem(const Case& c, const Arrays& device, int64_t images);

  const Case& definition() const { return case_; }
  Arrays arrays();
  double loss() const { return loss_; }
  const std::vector<double>& grad() const { return grad_; }
  const std::vector<int32_t>& indices() const { return indices_; }
  const std::vector<int32_t>& counts() const { return counts_; }

 private:
  Case case_;  // in f64, with fewer images
  std::vector<double> student_, teacher_, grad_;
  std::vector<int64_t> labels_;
  std::vector<int32_t> indices_, counts_;
  int64_t step_ = 0;
  double loss_ = 0.0;
};

// A copy of a tensor's elements in f64, in the order of its memory. It must have no gaps.
std::vector<double> widened(const structkd_tensor& device);

// How many of the 32-bit words differ.
int64_t different_words(const void* a, const void* b, size_t bytes, cudaStream_t stream);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_PROBLEM_H
