// torch_cuda/stream.cpp: libstructkd_torch_cuda.so, all that we need of LibTorch's CUDA part. A
// library of its own, so that libstructkd_torch.so can be loaded where LibTorch has none.
#include <c10/cuda/CUDAStream.h>

#include "structkd/core.h"

// The current stream of a device, as a cudaStream_t.
extern "C" STRUCTKD_API void* structkd_torch_cuda_stream(int device) {
  return c10::cuda::getCurrentCUDAStream(c10::DeviceIndex(device)).stream();
}
