// cpu/kernels.h: the entries of one instruction set level, all that dispatch.cpp sees of it.
#ifndef STRUCTKD_CPU_KERNELS_H
#define STRUCTKD_CPU_KERNELS_H

#include "core/backend.h"

namespace structkd::cpu::STRUCTKD_ISA {

STRUCTKD_KERNELS(STRUCTKD_DECLARE_KERNEL)

}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_KERNELS_H
