// torch_cuda/c10_cuda_stub.cpp: stands in for libc10_cuda.so where LibTorch was unpacked without
// its CUDA part, while libstructkd_torch_cuda.so is linked. Only its names count; it is shipped
// nowhere.
#include <c10/cuda/CUDAStream.h>

#include <cstdlib>

namespace c10::cuda {

CUDAStream getCurrentCUDAStream(DeviceIndex) { std::abort(); }

cudaStream_t CUDAStream::stream() const { std::abort(); }

}  // namespace c10::cuda
