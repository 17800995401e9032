// cuda/kernels.h: the entries of this backend, one pair per loss, defined in <loss>/<loss>.cu.
#ifndef STRUCTKD_CUDA_KERNELS_H
#define STRUCTKD_CUDA_KERNELS_H

#include "core/backend.h"

namespace structkd::cuda {

STRUCTKD_KERNELS(STRUCTKD_DECLARE_KERNEL)

}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_KERNELS_H
