// bench/cuda/probes.h: what this very device can do, measured by small kernels that do nothing
// else. The limits that the losses are compared with.
#ifndef STRUCTKD_BENCH_PROBES_H
#define STRUCTKD_BENCH_PROBES_H

#include "gpu.h"

namespace structkd::bench {

// Rates in GB/s and TFLOP/s; 0: the device or the build lacks the instruction.
struct Limits {
  double copy;          // device memory, read plus written: a plain kernel or the runtime's copy
  double fma_f32;       // FFMA
  double fma_f64;       // DFMA
  double mma_f64;       // mma.m8n8k4, sm_80 and later
  double mma_f64_wide;  // mma.m16n8k16, sm_90 and later
  double mma_tf32;      // mma.m16n8k8; Hopper's wgmma is faster and not used here
  double mma_bf16;      // mma.m16n8k16, likewise
  double empty_us;      // what the events show around a kernel that does nothing

  double f64() const;  // the fastest way to do products in f64
};

Limits measure_limits(const Gpu& gpu, cudaStream_t stream);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_PROBES_H
