// torch/cuda.h: what CUDA tensors need, opened at the first of them: libstructkd_cuda.so with the
// kernels, and libstructkd_torch_cuda.so, which alone depends on LibTorch's CUDA part.
#ifndef STRUCTKD_TORCH_CUDA_H
#define STRUCTKD_TORCH_CUDA_H

namespace structkd {

// The current stream of a CUDA device, which must be the current one and gets its kernels loaded at
// the first call. Raises one sentence, with what to install, if CUDA cannot be used.
void* cuda_stream(const char* loss, int device);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_CUDA_H
