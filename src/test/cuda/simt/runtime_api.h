// simt/runtime_api.h: the few functions of the CUDA runtime that the library calls. The device they
// describe is an H100: launches beyond its limits are refused as there.
#ifndef STRUCTKD_SIMT_RUNTIME_API_H
#define STRUCTKD_SIMT_RUNTIME_API_H

#include <stddef.h>

using cudaStream_t = struct CUstream_st*;

// Values as in CUDA's driver_types.h.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoKernelImageForDevice = 209,
};

enum cudaDeviceAttr {
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrSingleToDoublePrecisionPerfRatio = 87,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

struct cudaFuncAttributes {
  size_t sharedSizeBytes;  // 0: static arrays are known only when a block asks for them
};

// The error of the last launch, once.
cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);

cudaError_t cudaGetDevice(int* device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function);
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value);

namespace simt {

// Limits of compute capability 9.0 (CUDA programming guide, "compute capabilities").
constexpr unsigned kMaxBlockThreads = 1024;
constexpr unsigned kMaxBlockDepth = 64;
constexpr unsigned kMaxGridWidth = 0x7fffffff;
constexpr unsigned kMaxGridHeight = 65535;  // and depth
constexpr size_t kMaxStaticShared = 48 << 10;
constexpr size_t kMaxShared = 227 << 10;  // others have less: device.h

// What the next cudaGetLastError tells. Per host thread.
void set_last_error(cudaError_t error);

}  // namespace simt

#endif  // STRUCTKD_SIMT_RUNTIME_API_H
