// torch/place.h: where a call runs. The device of its tensors decides.
#ifndef STRUCTKD_TORCH_PLACE_H
#define STRUCTKD_TORCH_PLACE_H

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <exception>

#include "structkd/core.h"

namespace structkd {

// The backend, stream, threads and memory for a call on a map and what is beside it. A CUDA device
// is the current one while this lives, and so does the workspace that a call asks for.
class Place {
 public:
  // Takes a map on the CPU or CUDA; the first one of CUDA opens what is needed (torch/cuda.h).
  Place(const char* loss, const at::Tensor& map);
  Place(const Place&) = delete;  // a guard ends where it began

  // The context has an allocator, so that no call needs to be given a workspace.
  const structkd_ctx* context() const { return &context_; }

  // Throws what a call that returned this status failed by; what the allocator threw as it was.
  void check(structkd_status status) const;

  // Uninitialised memory: of the pool on the CPU, of LibTorch's caching allocator on CUDA.
  at::Tensor empty(at::IntArrayRef sizes, at::ScalarType dtype) const;

  // Memory for the gradient of a map, in its layout if that is dense; on the CPU row-major.
  at::Tensor empty_like(const at::Tensor& map, at::ScalarType dtype) const;

 private:
  static void* allocate(void* place, size_t bytes) noexcept;

  at::Device device_;
  c10::OptionalDeviceGuard guard_;
  structkd_ctx context_;
  at::Tensor workspace_;
  std::exception_ptr no_memory_;
};

// Whether the backend that a map goes to computes a loss (structkd_has_kernel). An undefined map
// does not matter: the kernel refuses it.
bool has_kernel(const char* loss, const char* id, const at::Tensor& map);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_PLACE_H
