// cuda/common/mma.cuh: matrix products of one warp on tensor cores, c += a * b, all 32 lanes
// together.
//
// Each lane holds a piece of every matrix. With g = lane / 4 and t = lane % 4 (PTX ISA, "matrix
// fragments"; A is M x K, B is K x N, C is M x N):
//
//   m8n8k4   f64   a    = A[g][t]            b    = B[t][g]          c[i] = C[g][2t + i]
//   m16n8k8  f64   a[i] = A[g + 8(i%2)][t + 4(i/2)]                  c[i] = C[g + 8(i/2)][2t + i%2]
//                  b[i] = B[t + 4i][g]
//   m16n8k16 f64   as m16n8k8, with i up to 7 in a and up to 3 in b
//   m16n8k8  tf32  as m16n8k8 of f64; a and b are f32 bit patterns rounded by to_tf32, c is f32
//   m16n8k16 f16, bf16   two elements to a register, the lower index in the lower half:
//                  a[i] = A[g + 8(i%2)][2t + 8(i/2), and the next]   c[i] = C[g + 8(i/2)][2t + i%2]
//                  b[i] = B[2t + 8i, and the next][g]
//
// All need sm_80: kernels that call them are launched only where device_traits() says so. The asm
// is volatile because the whole warp must reach it: it may not sink into a branch that uses its
// result.
//
// ldmatrix brings such fragments from shared memory: four matrices of 8 rows of 16 bytes, whose
// row r of matrix i lane 8i + r points at. Piece i of a lane is of matrix i:
//
//   ldmatrix_x4         word t of row g
//   ldmatrix_x4_trans   halfword g of row 2t, and of row 2t + 1 in the upper half
#ifndef STRUCTKD_CUDA_COMMON_MMA_CUH
#define STRUCTKD_CUDA_COMMON_MMA_CUH

#include "cuda/common/device.cuh"

#ifdef __CUDACC__

// Code for older targets must compile but is never launched.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define STRUCTKD_MMA(statement) __trap()
#else
#define STRUCTKD_MMA(statement) statement
#endif

// Where the wide instructions of f64 exist. Elsewhere they are written out as m8n8k4: ptxas, which
// would do the same for sm_100 and sm_120, takes so many registers for it that kernels spill.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1000
#define STRUCTKD_WIDE_F64_MMA true
#else
#define STRUCTKD_WIDE_F64_MMA false
#endif

namespace structkd::cuda {
namespace {

__device__ __forceinline__ void mma_f64_m8n8k4(double (&c)[2], double a, double b) {
  STRUCTKD_MMA(asm volatile(
      "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+d"(c[0]),
      "+d"(c[1]) : "d"(a), "d"(b)));
}

// One instruction on sm_90; the same products by four of m8n8k4 elsewhere.
__device__ __forceinline__ void mma_f64_m16n8k8(double (&c)[4],
                                                const double (&a)[4],
                                                const double (&b)[2]) {
#if !STRUCTKD_WIDE_F64_MMA
  double (&upper)[2] = reinterpret_cast<double (&)[2]>(c[0]);
  double (&lower)[2] = reinterpret_cast<double (&)[2]>(c[2]);
  for (int k = 0; k < 2; ++k) {
    mma_f64_m8n8k4(upper, a[2 * k], b[k]);
    mma_f64_m8n8k4(lower, a[2 * k + 1], b[k]);
  }
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
      : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
#endif
}

__device__ __forceinline__ void mma_f64_m16n8k16(double (&c)[4],
                                                 const double (&a)[8],
                                                 const double (&b)[4]) {
#if !STRUCTKD_WIDE_F64_MMA
  for (int k = 0; k < 2; ++k) {
    mma_f64_m16n8k8(c, reinterpret_cast<const double (&)[4]>(a[4 * k]),
                    reinterpret_cast<const double (&)[2]>(b[2 * k]));
  }
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7,%8,%9,%10,%11}, {%12,%13,%14,%15}, {%0,%1,%2,%3};"
      : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
      : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(a[4]), "d"(a[5]), "d"(a[6]), "d"(a[7]),
        "d"(b[0]), "d"(b[1]), "d"(b[2]), "d"(b[3]));
#endif
}

// Rounds to 10 mantissa bits, to nearest with ties away from zero, as an operand of the next.
__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t bits = 0;
  STRUCTKD_MMA(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x)));
  return bits;
}

__device__ __forceinline__ void mma_tf32_m16n8k8(float (&c)[4],
                                                 const uint32_t (&a)[4],
                                                 const uint32_t (&b)[2]) {
  STRUCTKD_MMA(
      asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                   "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" : "+f"(c[0]),
                   "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
                   "r"(b[0]), "r"(b[1])));
}

__device__ __forceinline__ void mma_f16_m16n8k16(float (&c)[4],
                                                 const uint32_t (&a)[4],
                                                 const uint32_t (&b)[2]) {
  STRUCTKD_MMA(
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                   "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" : "+f"(c[0]),
                   "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
                   "r"(b[0]), "r"(b[1])));
}

__device__ __forceinline__ void mma_bf16_m16n8k16(float (&c)[4],
                                                  const uint32_t (&a)[4],
                                                  const uint32_t (&b)[2]) {
  STRUCTKD_MMA(
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                   "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" : "+f"(c[0]),
                   "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
                   "r"(b[0]), "r"(b[1])));
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&pieces)[4], const void* row) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(pieces[0]), "=r"(pieces[1]), "=r"(pieces[2]), "=r"(pieces[3])
               : "r"(address)
               : "memory");
}

__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&pieces)[4], const void* row) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(pieces[0]), "=r"(pieces[1]), "=r"(pieces[2]), "=r"(pieces[3])
               : "r"(address)
               : "memory");
}

}  // namespace
}  // namespace structkd::cuda

#undef STRUCTKD_MMA
#undef STRUCTKD_WIDE_F64_MMA

#else  // g++

#include "simt/mma.h"

#endif

#endif  // STRUCTKD_CUDA_COMMON_MMA_CUH
