// torch/place.h: where a call runs. The device of its tensors decides.
#ifndef STRUCTKD_TORCH_PLACE_H
#define STRUCTKD_TORCH_PLACE_H

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include "structkd/core.h"

namespace structkd {

// The backend, stream, threads and memory for a call on a map and what is beside it. A CUDA device
// is the current one while this lives.
class Place {
 public:
  // For a map on the CPU or CUDA; the first one of CUDA opens what is needed (torch/cuda.h).
  Place(const char* loss, const at::Tensor& map);
  Place(const Place&) = delete;  // a guard ends where it began

  const structkd_ctx* context() const { return &context_; }

  // Uninitialised memory: of the pool on the CPU, of LibTorch's caching allocator on CUDA.
  at::Tensor empty(at::IntArrayRef sizes, at::ScalarType dtype) const;

  // For the gradient of a map, in its layout where that is dense; on the CPU always row-major.
  at::Tensor empty_like(const at::Tensor& map, at::ScalarType dtype) const;

 private:
  at::Device device_;
  c10::OptionalDeviceGuard guard_;
  structkd_ctx context_;
};

}  // namespace structkd

#endif  // STRUCTKD_TORCH_PLACE_H
