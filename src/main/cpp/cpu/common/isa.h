// cpu/common/isa.h: one source, several instruction sets. Every file of cpu/ but dispatch.cpp is
// compiled once per level with -DSTRUCTKD_ISA=<level> and that level's flags.
//
// All code here lives in a namespace of its level and has internal linkage, and none of it uses std
// templates: a function that two levels share would be merged by the linker, and AVX-512 code could
// end up on a machine that has none. Only the entries in kernels.h are visible to dispatch.cpp.
#ifndef STRUCTKD_CPU_COMMON_ISA_H
#define STRUCTKD_CPU_COMMON_ISA_H

#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>

#ifndef STRUCTKD_ISA
#error "compile with -DSTRUCTKD_ISA=baseline, avx2 or avx512"
#endif

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;  // SSE2 and NEON
#endif

// Portable vectors: g++ and clang map them to the registers of the level.
template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
constexpr int kLanes = kVectorBytes / int(sizeof(T));

template <class T>
inline Vector<T> load(const T* p) {
  Vector<T> v;
  memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
inline void store(T* p, Vector<T> v) {
  memcpy(p, &v, sizeof(v));
}

// v, loaded once. Else g++ 12 makes a load of each use of it, and loads bound the kernel.
template <class T>
inline Vector<T> in_register(Vector<T> v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#endif
  return v;
}

// Stores past the caches, which saves reading what is overwritten: for results too large to stay
// there. p is aligned to a vector. Other threads see the results after finish_streams().
template <class T>
inline void stream(T* p, Vector<T> v) {
#if defined(__AVX512F__)
  _mm512_stream_si512((__m512i*)p, (__m512i)v);
#elif defined(__AVX2__)
  _mm256_stream_si256((__m256i*)p, (__m256i)v);
#elif defined(__x86_64__)
  _mm_stream_si128((__m128i*)p, (__m128i)v);
#else
  store(p, v);
#endif
}

inline void finish_streams() {
#ifdef __x86_64__
  _mm_sfence();
#endif
}

template <class T>
inline T smaller(T a, T b) {
  return a < b ? a : b;
}

template <class T>
inline T larger(T a, T b) {
  return a < b ? b : a;
}

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_ISA_H
