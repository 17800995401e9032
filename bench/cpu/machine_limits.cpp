// bench/cpu/machine_limits.cpp: what this machine can do at most with OMP_NUM_THREADS threads.
// Prints
//
//   level NAME          instruction set of the loops
//   threads N
//   f32_gflops X        multiply-adds in registers, two operations each
//   f64_gflops X
//   stream_gbytes X     a[i] = b[i] + c[i] beyond the last cache: two reads and one write around it
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <memory>
#include <new>

#include "fma_loop.h"

namespace {

// The best of several short measurements: a limit is the most that was seen.
constexpr int kRepeats = 24;
constexpr double kSecondsEach = 0.015;

struct Level {
  const char* name;
  structkd::bench::FmaLoop<float> f32;
  structkd::bench::FmaLoop<double> f64;
};

Level best_level() {
  namespace bench = structkd::bench;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
    return {"avx512", bench::avx512::fma_loop_f32, bench::avx512::fma_loop_f64};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {"avx2", bench::avx2::fma_loop_f32, bench::avx2::fma_loop_f64};
  }
#endif
  return {"baseline", bench::baseline::fma_loop_f32, bench::baseline::fma_loop_f64};
}

// Operations per second of all threads together.
template <class T>
double fma_rate(structkd::bench::FmaLoop<T> loop) {
  int64_t rounds = 1 << 14;
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats;) {
    double operations = 0.0;
    const double start = omp_get_wtime();
#pragma omp parallel reduction(+ : operations)
    {
      T sink;
      operations += loop(rounds, &sink);
      asm volatile("" : : "m"(sink));
    }
    const double seconds = omp_get_wtime() - start;
    if (seconds < kSecondsEach) {
      rounds *= 2;
      continue;
    }
    best = std::max(best, operations / seconds);
    ++repeat;
  }
  return best;
}

// Four times the last cache for each array, at least 64 MiB.
int64_t stream_length() {
  long cache = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  const int64_t bytes = std::max<int64_t>(int64_t(64) << 20, 4 * int64_t(cache));
  return std::min<int64_t>(bytes, int64_t(512) << 20) / int64_t(sizeof(float));
}

// a = b + c over four floats; the store goes past the caches, as that of a result nobody reads
// soon.
inline void add4(float* a, const float* b, const float* c) {
#if defined(__x86_64__)
  _mm_stream_ps(a, _mm_add_ps(_mm_load_ps(b), _mm_load_ps(c)));
#else
  for (int i = 0; i < 4; ++i) a[i] = b[i] + c[i];
#endif
}

// Bytes per second of two reads and one write.
double stream_rate() {
  struct AlignedDelete {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t(64)); }
  };
  const int64_t n = stream_length();
  std::unique_ptr<float[], AlignedDelete> arrays[3];
  for (auto& array : arrays) {
    array.reset(new (std::align_val_t(64)) float[size_t(n)]);
    float* p = array.get();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; ++i) p[i] = 1.0f;
  }
  float *a = arrays[0].get(), *b = arrays[1].get(), *c = arrays[2].get();
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = omp_get_wtime();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i += 4) add4(a + i, b + i, c + i);
    const double seconds = omp_get_wtime() - start;
    best = std::max(best, 3.0 * double(n) * double(sizeof(float)) / seconds);
  }
  return best;
}

}  // namespace

int main() {
  const Level level = best_level();
  printf("level %s\n", level.name);
  printf("threads %d\n", omp_get_max_threads());
  printf("f32_gflops %.2f\n", 1e-9 * fma_rate(level.f32));
  printf("f64_gflops %.2f\n", 1e-9 * fma_rate(level.f64));
  printf("stream_gbytes %.3f\n", 1e-9 * stream_rate());
  return 0;
}
