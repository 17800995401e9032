/* structkd_cuda.h: libstructkd_cuda.so, the backend "cuda". C99.
 *
 * Opening the library registers the backend with libstructkd.so; that needs no GPU and no driver.
 * The loss calls of libstructkd.so then take "cuda" in their context, device memory and a
 * cudaStream_t.
 */
#ifndef STRUCTKD_CUDA_STRUCTKD_CUDA_H
#define STRUCTKD_CUDA_STRUCTKD_CUDA_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Loads all kernels on the calling thread's current device. Call it once per device, before the
 * first loss: from then on launches load nothing, synchronise nothing and may be captured in a CUDA
 * graph.
 *
 * @return STRUCTKD_OK, or STRUCTKD_ERR_CUDA: no GPU, no driver, a driver that is too old or a GPU
 * that the kernels were not built for; structkd_last_error() has the sentence.
 */
STRUCTKD_API structkd_status structkd_cuda_open(void);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_CUDA_STRUCTKD_CUDA_H */
