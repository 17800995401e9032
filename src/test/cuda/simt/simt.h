// simt.hpp - one kernel source, two compilers:
//   nvcc : thin macros over real CUDA           g++/clang++ : functional SIMT emulation (1 CUDA thread = 1 fiber)
// Host build switches: -DSIMT_OMP (blocks in parallel), env SIMT_ORDER=fwd|rev|rand:<seed>, ASan/TSan autodetected.
#pragma once
#pragma GCC diagnostic ignored "-Wmisleading-indentation"
#include <cstdint>
#include <cstddef>
// ----------------------------------------------------------------------------------------------- host side (emulation)
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <type_traits>
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define STRUCTKD_SHARED(type, name, extent) typedef type name##_shared_t extent; static char name##_tag; name##_shared_t& name = *static_cast<name##_shared_t*>(simt::shared_array(&name##_tag, sizeof(name##_shared_t)))
#define STRUCTKD_DYNAMIC_SHARED(T, name) T* const name = reinterpret_cast<T*>(simt::cur->blk->dyn)
struct dim3 { unsigned x, y, z; constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {} };
struct alignas(8) float2 { float x, y; }; struct alignas(16) float4 { float x, y, z, w; }; struct alignas(8) uint2 { uint32_t x, y; }; struct alignas(8) int2 { int32_t x, y; }; struct alignas(16) int4 { int32_t x, y, z, w; }; struct alignas(16) double2 { double x, y; }; struct alignas(16) uint4 { uint32_t x, y, z, w; };
namespace simt {
struct Warp;
struct BlockPub { dim3 bidx, bdim, gdim; unsigned char* dyn = nullptr; size_t dynsz = 0; };
struct FiberPub { BlockPub* blk = nullptr; Warp* warp = nullptr; dim3 tidx; unsigned tid = 0, lane = 0; };
extern thread_local FiberPub* cur;
struct Stats { unsigned long long switches = 0, blocks = 0, threads = 0, barriers = 0, colls = 0; };
extern Stats total;
typedef const unsigned char (*Slots)[128];
// everything below lives in simt.cpp, which is compiled WITHOUT -fsanitize=... so that only kernel code is instrumented
[[noreturn]] void fail(const char* m);
int sync_block(int pred, int line);
Slots coll(int op, uint32_t mask, const void* in, size_t sz, int line);
uint32_t exist_mask();
void cp_push(void* d, const void* g); void cp_commit(); unsigned cp_ready(unsigned keep, void**& d, const void**& g);
void* shared_array(const void* tag, size_t bytes);
void launch_raw(dim3 g, dim3 b, size_t smem, void (*fn)(void*), void* arg);
template <class K, class... A> void launch_args(K k, dim3 g, dim3 b, size_t smem, A... a) {
  auto t = std::make_tuple(a...); auto body = [k, &t] { std::apply(k, t); }; using B = decltype(body); launch_raw(g, b, smem, [](void* p) { (*(B*)p)(); }, &body); }
template <class T> T shfl(int op, uint32_t m, T v, int src, int line) { static_assert(sizeof(T) <= 128, ""); auto s = coll(op, m, &v, sizeof v, line);
  if (!(m >> src & 1)) return v; T r; memcpy(&r, s[src], sizeof r); return r; }
template <class T, class F> T rmw(T* p, F f) { using U = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>; U* q = (U*)p, o = __atomic_load_n(q, __ATOMIC_RELAXED), n; T a, r;
  do { memcpy(&a, &o, sizeof a); r = f(a); memcpy(&n, &r, sizeof n); } while (!__atomic_compare_exchange_n(q, &o, n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); return a; }
}  // namespace simt
#define threadIdx (simt::cur->tidx)
#define blockIdx (simt::cur->blk->bidx)
#define blockDim (simt::cur->blk->bdim)
#define gridDim (simt::cur->blk->gdim)
constexpr int warpSize = 32;
#define STRUCTKD_ENQUEUE(k, g, b, smem, stream, ...) ((void)(stream), simt::launch_args([](auto... a_) { k(a_...); }, (g), (b), (smem), __VA_ARGS__))
#define __syncthreads() ((void)simt::sync_block(0, __LINE__))
#define __syncthreads_count(p) simt::sync_block(!!(p), __LINE__)
#define __syncthreads_or(p) (simt::sync_block(!!(p), __LINE__) != 0)
inline void simt_syncwarp(int line, uint32_t m = ~0u) { char c = 0; simt::coll(1, m, &c, 1, line); }
#define __syncwarp(...) simt_syncwarp(__LINE__, ##__VA_ARGS__)
#define __shfl_xor_sync(m, v, x) simt::shfl(2, m, v, (simt::cur->lane ^ (x)) & 31, __LINE__)
#define __shfl_sync(m, v, s) simt::shfl(3, m, v, (s) & 31, __LINE__)
#define __shfl_down_sync(m, v, d) simt::shfl(4, m, v, simt::cur->lane + (d) < 32 ? simt::cur->lane + (d) : simt::cur->lane, __LINE__)
#define __shfl_up_sync(m, v, d) simt::shfl(5, m, v, simt::cur->lane >= (unsigned)(d) ? simt::cur->lane - (d) : simt::cur->lane, __LINE__)
inline uint32_t simt_ballot(uint32_t m, int p, int line) { unsigned char c = !!p; auto s = simt::coll(6, m, &c, 1, line); uint32_t r = 0, exist = simt::exist_mask(); for (int i = 0; i < 32; i++) if (m >> i & 1 && exist >> i & 1) r |= (uint32_t)s[i][0] << i; return r; }
#define __ballot_sync(m, p) simt_ballot(m, p, __LINE__)
#define __any_sync(m, p) (simt_ballot(m, p, __LINE__) != 0)
#define __all_sync(m, p) (simt_ballot(m, !(p), __LINE__) == 0)
template <class T, class V> T atomicAdd(T* p, V v) { return simt::rmw(p, [=](T a) { return (T)(a + v); }); }
template <class T, class V> T atomicMax(T* p, V v) { return simt::rmw(p, [=](T a) { return a > (T)v ? a : (T)v; }); }
template <class T> T atomicCAS(T* p, T c, T v) { return simt::rmw(p, [=](T a) { return a == c ? v : a; }); }
inline int __popc(uint32_t x) { return __builtin_popcount(x); } inline int __ffs(int x) { return __builtin_ffs(x); }
inline float __expf(float x) { return expf(x); } template <class T> T __ldg(const T* p) { return *p; }
// cp.async is DEFERRED to the wait, so that a missing wait_group is visible as poison/stale data
namespace structkd::cuda {
template <int N> void async_copy(void* d, const void* g) { if ((uintptr_t)d % N || (uintptr_t)g % N) simt::fail("cp.async: misaligned"); for (int i = 0; i < N; i += 4) simt::cp_push((char*)d + i, (const char*)g + i); }
inline void async_copy_commit() { simt::cp_commit(); }
template <int N> void async_copy_wait() { void** d; const void** g; while (unsigned n = simt::cp_ready(N, d, g)) for (unsigned i = 0; i < n - 1; i++) { *(uint32_t*)d[i] = *(const uint32_t*)g[i]; } }
}  // namespace structkd::cuda
inline float2 make_float2(float x, float y) { return {x, y}; } inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; } inline double2 make_double2(double x, double y) { return {x, y}; } inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; } inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
template <class T, class V> T atomicMin(T* p, V v) { return simt::rmw(p, [=](T a) { return a < (T)v ? a : (T)v; }); }
template <class T, class V> T atomicOr(T* p, V v) { return simt::rmw(p, [=](T a) { return (T)(a | v); }); }
template <class T, class V> T atomicExch(T* p, V v) { return simt::rmw(p, [=](T) { return (T)v; }); }
#define __syncthreads_and(p) (simt::sync_block(!(p), __LINE__) == 0)
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; } inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; } inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t((uint64_t)a * b >> 32); }
inline float __int_as_float(int x) { float r; memcpy(&r, &x, 4); return r; } inline int __float_as_int(float x) { int r; memcpy(&r, &x, 4); return r; } inline float __uint_as_float(uint32_t x) { float r; memcpy(&r, &x, 4); return r; } inline uint32_t __float_as_uint(float x) { uint32_t r; memcpy(&r, &x, 4); return r; }
inline float __fdividef(float a, float b) { return a / b; } inline float __frcp_rn(float a) { return 1.f / a; } inline float rsqrtf(float a) { return 1.f / sqrtf(a); } inline double rsqrt(double a) { return 1. / sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); } inline float __fadd_rn(float a, float b) { return a + b; } inline float __fmul_rn(float a, float b) { return a * b; } inline float __fsub_rn(float a, float b) { return a - b; } inline double __dmul_rn(double a, double b) { return a * b; } inline double __dadd_rn(double a, double b) { return a + b; }
// runtime API, as far as backend.cu asks
typedef void* cudaStream_t; typedef int cudaError_t; constexpr cudaError_t cudaSuccess = 0; typedef int cudaDeviceAttr;
constexpr int cudaDevAttrMultiProcessorCount = 1, cudaDevAttrSingleToDoublePrecisionPerfRatio = 2, cudaDevAttrComputeCapabilityMajor = 3, cudaDevAttrMaxSharedMemoryPerBlockOptin = 4, cudaFuncAttributeMaxDynamicSharedMemorySize = 5;
inline cudaError_t cudaGetDevice(int* d) { *d = 0; return 0; } inline cudaError_t cudaGetLastError() { return 0; } inline const char* cudaGetErrorString(cudaError_t) { return ""; } inline const char* cudaGetErrorName(cudaError_t) { return ""; }
inline cudaError_t cudaDeviceGetAttribute(int* v, cudaDeviceAttr a, int) { *v = a == cudaDevAttrMultiProcessorCount ? 132 : a == cudaDevAttrSingleToDoublePrecisionPerfRatio ? 2 : a == cudaDevAttrComputeCapabilityMajor ? 9 : 232448; return 0; }
struct cudaFuncAttributes { size_t sharedSizeBytes; }; inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void*) { a->sharedSizeBytes = 0; return 0; } inline cudaError_t cudaFuncSetAttribute(const void*, int, int) { return 0; }
