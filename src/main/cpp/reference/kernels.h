// reference/kernels.h: the entries of the reference backend, two per loss.
#ifndef STRUCTKD_REFERENCE_KERNELS_H
#define STRUCTKD_REFERENCE_KERNELS_H

#include "core/backend.h"

namespace structkd::reference {

STRUCTKD_KERNELS(STRUCTKD_DECLARE_KERNEL)

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_KERNELS_H
