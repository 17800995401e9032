// simt/simt.h: CUDA's language for g++. Kernels are compiled as C++ and run on the CPU, one fiber
// per CUDA thread. cuda/common/device.cuh includes this where nvcc is not the compiler.
//
//   thread.h         who is running: threadIdx and its relatives
//   barrier.h warp.h what threads of a block, lanes of a warp do together
//   shared_memory.h  arrays of a block, poisoned and fenced
//   async_copy.h     cp.async
//   mma.h            tensor cores; twins of cuda/common/mma.cuh, included there
//   atomics.h intrinsics.h vector_types.h runtime_api.h   names of CUDA
//   launch.h         running a grid
//
// The .cpp files are the runtime. It is compiled without sanitizers, so that only kernels are
// looked at.
//
// STRUCTKD_SIMT_ORDER is the order in which threads and blocks run: forward, reverse, or
// random:SEED. A kernel whose result depends on it lacks a barrier.
//
// STRUCTKD_SIMT_DEVICE is the GPU by which forms are chosen, with its shared memory: 75, 89 or 90
// (device.h).
//
// STRUCTKD_SIMT_LAUNCHES=FILE writes launches to a file instead of running them (launch.cpp).
//
// Misuse that would hang or be undefined on a device ends the process with status 77 and a report.
// Not modelled: time, caches, weak memory order, rounding of tensor cores and fast intrinsics.
#ifndef STRUCTKD_SIMT_SIMT_H
#define STRUCTKD_SIMT_SIMT_H

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__

#include "simt/async_copy.h"
#include "simt/atomics.h"
#include "simt/barrier.h"
#include "simt/intrinsics.h"
#include "simt/launch.h"
#include "simt/runtime_api.h"
#include "simt/shared_memory.h"
#include "simt/thread.h"
#include "simt/vector_types.h"
#include "simt/warp.h"

#endif  // STRUCTKD_SIMT_SIMT_H
