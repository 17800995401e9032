// cuda/backend.cu: the table of this backend and the devices it runs on.
#include <stdlib.h>
#include <string.h>

#include <string>

#include "cuda/common/launch.cuh"
#include "cuda/kernels.h"
#include "cuda/structkd_cuda.h"

namespace structkd::cuda {
namespace {

#ifdef __CUDACC__
const Backend backend = {"cuda", "NVIDIA GPUs from compute capability 7.5 on",
                         STRUCTKD_KERNELS(STRUCTKD_TABLE_VALUE)};
#else
const Backend backend = {"cuda-emulated", "the CUDA kernels, run thread by thread on the CPU",
                         STRUCTKD_KERNELS(STRUCTKD_TABLE_VALUE)};
#endif

KernelEntry* all_kernels = nullptr;

[[maybe_unused]] const bool registered = (register_backend(backend), true);

void require(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fail(STRUCTKD_ERR_CUDA, "cuda: %s: %s (%s)", what, cudaGetErrorString(status),
       cudaGetErrorName(status));
}

#ifdef __CUDACC__
// Fails where there is no device, with the reason and what to do about it.
void require_device() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0) return;
  cudaGetLastError();  // leave no error behind for the next launch
  int newest = 0;
  cudaDriverGetVersion(&newest);  // of CUDA that the driver knows; 0 without a driver
  if (status == cudaErrorInsufficientDriver && newest > 0) {
    fail(STRUCTKD_ERR_CUDA,
         "cuda: the NVIDIA driver of this machine is made for CUDA %d.%d, needed is CUDA %d: "
         "install driver 580 or newer",
         newest / 1000, newest % 1000 / 10, CUDART_VERSION / 1000);
  }
  if (newest == 0) {
    fail(STRUCTKD_ERR_CUDA,
         "cuda: this machine has no NVIDIA driver, or this process cannot reach it: "
         "install driver 580 or newer");
  }
  if (status == cudaSuccess || status == cudaErrorNoDevice) {
    fail(
        STRUCTKD_ERR_CUDA,
        "cuda: the driver shows no GPU to this process: check nvidia-smi and CUDA_VISIBLE_DEVICES");
  }
  require(status, "no usable GPU");
}

// Compute capabilities that kernels were built for, times 100, ascending.
constexpr int kArchitectures[] = {__CUDA_ARCH_LIST__};
#else
void require_device() {}

constexpr int kArchitectures[] = {750, 890, 900};
#endif

// A GPU runs code of its own major version, up to its minor one, and PTX of older ones.
void require_architecture(cudaError_t status, int device) {
  if (status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction) return;
  cudaGetLastError();
  int major = 0, minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  std::string built;
  for (int architecture : kArchitectures) {
    if (!built.empty()) built += ", ";
    built += std::to_string(architecture / 100) + "." + std::to_string(architecture % 100 / 10);
  }
  fail(STRUCTKD_ERR_CUDA,
       "cuda: GPU %d has compute capability %d.%d, for which this library has no code; it was built"
       " for %s: choose another GPU by CUDA_VISIBLE_DEVICES, compute on the CPU, or build the"
       " library for this GPU as docs/gpu.md shows",
       device, major, minor, built.c_str());
}

int current_device() {
  int device = 0;
  require(cudaGetDevice(&device), "no usable GPU");
  return device;
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  require(cudaDeviceGetAttribute(&value, which, device), "the device does not tell its properties");
  return value;
}

DeviceTraits traits_of(int device) {
  DeviceTraits traits = {};
  traits.fast_f64 = attribute(cudaDevAttrSingleToDoublePrecisionPerfRatio, device) <= 4;
  traits.has_async_copy = attribute(cudaDevAttrComputeCapabilityMajor, device) >= 8;
  traits.shared_bytes = size_t(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  // Tests choose the forms of another kind of device by this variable.
  const char* f64 = getenv("STRUCTKD_CUDA_F64");
  if (f64 != nullptr) traits.fast_f64 = strcmp(f64, "slow") != 0;
  return traits;
}

}  // namespace

void register_kernel(KernelEntry& entry) {
  entry.next = all_kernels;
  all_kernels = &entry;
}

void load_kernels() {
  require_device();
  const int device = current_device();
  const int most = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  for (const KernelEntry* entry = all_kernels; entry != nullptr; entry = entry->next) {
    cudaFuncAttributes attributes = {};
    const cudaError_t found = cudaFuncGetAttributes(&attributes, entry->function);
    require_architecture(found, device);
    require(found, "this GPU cannot run structkd's kernels");
    require(cudaFuncSetAttribute(entry->function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 most - int(attributes.sharedSizeBytes)),
            "a kernel cannot have the shared memory of this GPU");
  }
}

void require_launched(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  fail(STRUCTKD_ERR_CUDA, "cuda: launch of %s failed: %s (%s)", kernel, cudaGetErrorString(status),
       cudaGetErrorName(status));
}

const DeviceTraits& device_traits() {
  thread_local int known = -1;
  thread_local DeviceTraits traits;
  const int device = current_device();
  if (device != known) {
    traits = traits_of(device);
    known = device;
  }
  return traits;
}

}  // namespace structkd::cuda

structkd_status structkd_cuda_open(void) {
  using namespace structkd;
  return guarded([&] { cuda::load_kernels(); });
}
