// cpu/dispatch.cpp: picks the instruction set level of the cpu backend once, when the library is
// opened.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/backend.h"

// Declares the functions of a level and defines its table.
#define STRUCTKD_CPU_LEVEL(level)                                                  \
  namespace structkd::cpu::level {                                                 \
  STRUCTKD_KERNELS(STRUCTKD_DECLARE_KERNEL)                                        \
  const Backend backend = {"cpu", #level, STRUCTKD_KERNELS(STRUCTKD_TABLE_VALUE)}; \
  }

STRUCTKD_CPU_LEVEL(baseline)
#ifdef STRUCTKD_CPU_AVX2
STRUCTKD_CPU_LEVEL(avx2)
#endif
#ifdef STRUCTKD_CPU_AVX512
STRUCTKD_CPU_LEVEL(avx512)
#endif

namespace structkd::cpu {
namespace {

const Backend* const levels[] = {
// Best first.
#ifdef STRUCTKD_CPU_AVX512
    &avx512::backend,
#endif
#ifdef STRUCTKD_CPU_AVX2
    &avx2::backend,
#endif
    &baseline::backend,
};

bool machine_has(const char* level) {
#ifdef STRUCTKD_CPU_AVX512
  if (std::strcmp(level, "avx512") == 0) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
#ifdef STRUCTKD_CPU_AVX2
  if (std::strcmp(level, "avx2") == 0) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
  return std::strcmp(level, "baseline") == 0;
}

// STRUCTKD_ISA=avx2 forces a level, for tests and to compare machines. A level that the machine or
// the build lacks is told on stderr and passed over: the library is being opened, and nobody could
// catch an exception.
const Backend& chosen_level() {
  const char* wish = std::getenv("STRUCTKD_ISA");
  const Backend* best = nullptr;
  for (const Backend* level : levels) {
    if (!machine_has(level->description)) continue;
    if (best == nullptr) best = level;
    if (wish != nullptr && std::strcmp(wish, level->description) == 0) return *level;
  }
  if (wish != nullptr && *wish != '\0') {
    std::fprintf(stderr, "structkd: STRUCTKD_ISA=%s is not available here, using %s\n", wish,
                 best->description);
  }
  return *best;
}

[[maybe_unused]] const bool registered = (register_backend(chosen_level()), true);

}  // namespace
}  // namespace structkd::cpu
