// bench/cpu/fma_loop.h: multiply-adds in registers, compiled for each instruction set level.
#ifndef STRUCTKD_BENCH_FMA_LOOP_H
#define STRUCTKD_BENCH_FMA_LOOP_H

#include <stdint.h>

namespace structkd::bench {

// Runs `rounds` rounds of independent multiply-adds and returns how many floating-point operations
// that were, two for each. `sink` gets a value that depends on all of them.
template <class T>
using FmaLoop = double (*)(int64_t rounds, T* sink);

#define STRUCTKD_DECLARE_FMA_LOOPS(level)            \
  namespace level {                                  \
  double fma_loop_f32(int64_t rounds, float* sink);  \
  double fma_loop_f64(int64_t rounds, double* sink); \
  }
STRUCTKD_DECLARE_FMA_LOOPS(baseline)
#if defined(__x86_64__)
STRUCTKD_DECLARE_FMA_LOOPS(avx2)
STRUCTKD_DECLARE_FMA_LOOPS(avx512)
#endif
#undef STRUCTKD_DECLARE_FMA_LOOPS

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_FMA_LOOP_H
