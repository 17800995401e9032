// cuda/common/launch.cuh: the one way to start a kernel.
//
//   launch<rows_kernel<float>>(grid, block, shared_bytes, stream, arguments...);
//
// Each kernel that is launched anywhere is known before main: load_kernels() brings all of them
// onto a device, so that a first launch neither loads a module nor synchronises and may be captured
// in a graph.
#ifndef STRUCTKD_CUDA_COMMON_LAUNCH_CUH
#define STRUCTKD_CUDA_COMMON_LAUNCH_CUH

#include "core/backend.h"
#include "core/error.h"
#include "cuda/common/device.cuh"

namespace structkd::cuda {

// A kernel of this library, as an item of the list of all of them, which grows while the library is
// opened.
struct KernelEntry {
  const void* function;
  KernelEntry* next;
};

// Puts an entry into the list that load_kernels() goes through.
void register_kernel(KernelEntry& entry);

// Loads every kernel on the current device and lets it use all shared memory there is. Throws an
// Error of status ERR_CUDA with one sentence if the device cannot be used.
void load_kernels();

// Throws an Error that names the kernel if the launch just made was refused.
void require_launched(const char* kernel);

// The properties of a device by which launchers choose the form of a kernel.
struct DeviceTraits {
  // True where FP64 runs at half the FP32 rate or on tensor cores (A100, H100, B200), so that
  // products in f64 cost no more than in f32. Elsewhere (consumer cards, L4, B300) they are 32 to
  // 64 times slower.
  bool fast_f64;
  // True from sm_80 on, which brought cp.async and the mma of TF32 and BF16 together.
  bool has_async_copy;
  // Shared memory of a block at most, static and dynamic together.
  size_t shared_bytes;
};
// The traits of the current device; the reference holds until this thread asks for another device.
const DeviceTraits& device_traits();

inline cudaStream_t stream_of(const Launch& launch) {
  return static_cast<cudaStream_t>(launch.stream);
}

namespace {

template <auto Kernel>
struct Registered {
  static KernelEntry entry;
  static const bool done;
};
template <auto Kernel>
KernelEntry Registered<Kernel>::entry = {reinterpret_cast<const void*>(Kernel), nullptr};
template <auto Kernel>
const bool Registered<Kernel>::done = (register_kernel(Registered<Kernel>::entry), true);

// Starts a kernel. Errors call it by `name`, which has no namespaces and template arguments.
template <auto Kernel, class... Args>
inline void launch(const char* name,
                   dim3 grid,
                   dim3 block,
                   size_t shared_bytes,
                   cudaStream_t stream,
                   Args... args) {
  (void)Registered<Kernel>::done;
  STRUCTKD_ENQUEUE(Kernel, grid, block, shared_bytes, stream, args...);
  require_launched(name);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_LAUNCH_CUH
