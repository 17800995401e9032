// torch/place.cpp: where a call runs.
#include "torch/place.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <atomic>
#include <cstring>
#include <string>

#include "core/backend.h"
#include "torch/cuda.h"
#include "torch/errors.h"
#include "torch/pool.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

// A backend without a single kernel: under it every loss takes its composition.
const char* const kComposed = "composed";
const bool composed_is_registered = [] {
  static Backend composed{};
  composed.name = kComposed;
  composed.description = "LibTorch's operators";
  register_backend(composed);
  return true;
}();

// Points at a name in the registry of backends, which lives as long as the process.
std::atomic<const char*> chosen_backend{nullptr};

// Waking a second thread takes some 10 us per loop, in which one thread computes any of the losses
// of a map of this size. Results do not depend on the number of threads.
constexpr int64_t kSerialElements = 1024;

at::TensorOptions options(at::ScalarType dtype, at::Device device) {
  return at::TensorOptions(dtype).device(device);
}

}  // namespace

Place::Place(const char* loss, const at::Tensor& map) : device_(map.device()) {
  const structkd_allocator allocator = {&Place::allocate, this};
  if (device_.is_cuda()) {
    guard_.reset_device(device_);
    context_ = {"cuda", cuda_stream(loss, device_.index()), 1, allocator};
    return;
  }
  const char* chosen = chosen_backend.load(std::memory_order_relaxed);
  const int threads = map.numel() <= kSerialElements ? 1 : at::get_num_threads();
  context_ = {chosen != nullptr ? chosen : "cpu", nullptr, threads, allocator};
}

void* Place::allocate(void* self, size_t bytes) noexcept {
  Place& place = *static_cast<Place*>(self);
  try {
    place.workspace_ = place.empty({int64_t(bytes)}, at::kByte);
    return place.workspace_.data_ptr();
  } catch (...) {
    // Such as LibTorch's own error of a GPU without memory. No exception may pass through C.
    place.no_memory_ = std::current_exception();
    return nullptr;
  }
}

void Place::check(structkd_status status) const {
  if (status != STRUCTKD_OK && no_memory_) std::rethrow_exception(no_memory_);
  structkd::check(status);
}

at::Tensor Place::empty(at::IntArrayRef sizes, at::ScalarType dtype) const {
  return device_.is_cpu() ? pooled_empty(sizes, dtype) : at::empty(sizes, options(dtype, device_));
}

at::Tensor Place::empty_like(const at::Tensor& map, at::ScalarType dtype) const {
  if (device_.is_cpu()) return pooled_empty(map.sizes(), dtype);
  return at::empty_like(map, options(dtype, device_), at::MemoryFormat::Preserve);
}

bool has_kernel(const char* loss, const char* id, const at::Tensor& map) {
  if (!map.defined()) return true;
  const char* chosen = chosen_backend.load(std::memory_order_relaxed);
  // Of CUDA tensors, too, whose place is the GPU either way.
  if (chosen != nullptr && std::strcmp(chosen, kComposed) == 0) return false;
  return structkd_has_kernel(Place(loss, map).context()->backend, id);
}

at::Tensor number_beside(const at::Tensor& map, int64_t number) {
  return at::full({}, number, options(at::kLong, map.device()));
}

std::string use_backend(const std::string& name) {
  const char* chosen = nullptr;
  std::string known;
  for (int i = 0; const char* backend = structkd_backend_name(i); ++i) {
    if (name == backend) chosen = backend;
    known += (i > 0 ? ", " : "") + std::string(backend);
  }
  if (chosen == nullptr && !name.empty()) {
    raise(STRUCTKD_ERR_BACKEND,
          "there is no backend \"" + name + "\" in this process, expected one of: " + known);
  }
  // CUDA kernels would take the addresses of CPU tensors for those of a device.
  if (name == "cuda") {
    raise(STRUCTKD_ERR_BACKEND,
          "the backend \"cuda\" is for CUDA tensors, which choose it by themselves");
  }
  const char* before = chosen_backend.exchange(chosen);
  return before != nullptr ? before : "";
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def("use_backend(str name) -> str", &use_backend);
}

}  // namespace structkd
