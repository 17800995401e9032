// simt_test/mma_test.cpp: the twins of tensor cores, with fragments filled by the tables of the PTX
// ISA (section "matrix fragments for mma"), which name row and column of each register.
#include "cuda/common/mma.cuh"

#include <cmath>
#include <vector>

#include "core/half.h"
#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

struct Matrices {
  double a[16][16];  // [M, K]
  double b[16][8];   // [K, N]
  double c[16][8];   // [M, N]
};

// Small integers: exact in each type, and so is every sum.
Matrices integers(unsigned seed) {
  Matrices m;
  const auto next = [&] { return int((seed = seed * 1664525u + 1013904223u) >> 28) - 8; };
  for (auto& row : m.a) {
    for (double& x : row) x = next();
  }
  for (auto& row : m.b) {
    for (double& x : row) x = next();
  }
  for (auto& row : m.c) {
    for (double& x : row) x = next();
  }
  return m;
}

template <int M, int K>
void expect_product(const Matrices& before, const Matrices& after) {
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < 8; ++j) {
      double sum = before.c[i][j];
      for (int k = 0; k < K; ++k) sum += before.a[i][k] * before.b[k][j];
      EXPECT_EQ(after.c[i][j], sum) << "element " << i << ", " << j;
    }
  }
}

template <auto Kernel, int M, int K>
void expect_kernel_multiplies() {
  for (unsigned seed : {1u, 2u, 3u}) {
    const Matrices before = integers(seed);
    Matrices after = before;
    run<Kernel>(dim3(1), dim3(32), 0, &after);
    expect_product<M, K>(before, after);
  }
}

template <class T>
__device__ void load_c(T (&c)[4], const Matrices& m, int g, int t) {
  c[0] = T(m.c[g][2 * t]);
  c[1] = T(m.c[g][2 * t + 1]);
  c[2] = T(m.c[g + 8][2 * t]);
  c[3] = T(m.c[g + 8][2 * t + 1]);
}
template <class T>
__device__ void store_c(const T (&c)[4], Matrices& m, int g, int t) {
  m.c[g][2 * t] = c[0];
  m.c[g][2 * t + 1] = c[1];
  m.c[g + 8][2 * t] = c[2];
  m.c[g + 8][2 * t + 1] = c[3];
}

__global__ void f64_m8n8k4_kernel(Matrices* m) {
  const int g = threadIdx.x >> 2, t = threadIdx.x % 4;
  double c[2] = {m->c[g][2 * t], m->c[g][2 * t + 1]};
  mma_f64_m8n8k4(c, m->a[g][t], m->b[t][g]);
  m->c[g][2 * t] = c[0];
  m->c[g][2 * t + 1] = c[1];
}
TEST(Mma, F64M8N8K4) { expect_kernel_multiplies<f64_m8n8k4_kernel, 8, 4>(); }

__global__ void f64_m16n8k8_kernel(Matrices* m) {
  const int g = threadIdx.x >> 2, t = threadIdx.x % 4;
  const double a[4] = {m->a[g][t], m->a[g + 8][t], m->a[g][t + 4], m->a[g + 8][t + 4]};
  const double b[2] = {m->b[t][g], m->b[t + 4][g]};
  double c[4];
  load_c(c, *m, g, t);
  mma_f64_m16n8k8(c, a, b);
  store_c(c, *m, g, t);
}
TEST(Mma, F64M16N8K8) { expect_kernel_multiplies<f64_m16n8k8_kernel, 16, 8>(); }

__global__ void f64_m16n8k16_kernel(Matrices* m) {
  const int g = threadIdx.x >> 2, t = threadIdx.x % 4;
  const double a[8] = {m->a[g][t],     m->a[g + 8][t],     m->a[g][t + 4],  m->a[g + 8][t + 4],
                       m->a[g][t + 8], m->a[g + 8][t + 8], m->a[g][t + 12], m->a[g + 8][t + 12]};
  const double b[4] = {m->b[t][g], m->b[t + 4][g], m->b[t + 8][g], m->b[t + 12][g]};
  double c[4];
  load_c(c, *m, g, t);
  mma_f64_m16n8k16(c, a, b);
  store_c(c, *m, g, t);
}
TEST(Mma, F64M16N8K16) { expect_kernel_multiplies<f64_m16n8k16_kernel, 16, 16>(); }

__global__ void tf32_m16n8k8_kernel(Matrices* m) {
  const int g = threadIdx.x >> 2, t = threadIdx.x % 4;
  const auto tf32 = [](double x) { return to_tf32(float(x)); };
  const uint32_t a[4] = {tf32(m->a[g][t]), tf32(m->a[g + 8][t]), tf32(m->a[g][t + 4]),
                         tf32(m->a[g + 8][t + 4])};
  const uint32_t b[2] = {tf32(m->b[t][g]), tf32(m->b[t + 4][g])};
  float c[4];
  load_c(c, *m, g, t);
  mma_tf32_m16n8k8(c, a, b);
  store_c(c, *m, g, t);
}
TEST(Mma, Tf32M16N8K8) { expect_kernel_multiplies<tf32_m16n8k8_kernel, 16, 8>(); }

template <class Element>
__device__ uint32_t two(double lower, double upper) {
  if constexpr (std::is_same_v<Element, structkd::Half>) {
    return structkd::to_half(float(lower)).bits | uint32_t(structkd::to_half(float(upper)).bits)
                                                      << 16;
  } else {
    return structkd::to_bfloat16(float(lower)).bits |
           uint32_t(structkd::to_bfloat16(float(upper)).bits) << 16;
  }
}

template <class Element>
__global__ void m16n8k16_kernel(Matrices* m) {
  const int g = threadIdx.x >> 2, t = threadIdx.x % 4;
  const uint32_t a[4] = {two<Element>(m->a[g][2 * t], m->a[g][2 * t + 1]),
                         two<Element>(m->a[g + 8][2 * t], m->a[g + 8][2 * t + 1]),
                         two<Element>(m->a[g][2 * t + 8], m->a[g][2 * t + 9]),
                         two<Element>(m->a[g + 8][2 * t + 8], m->a[g + 8][2 * t + 9])};
  const uint32_t b[2] = {two<Element>(m->b[2 * t][g], m->b[2 * t + 1][g]),
                         two<Element>(m->b[2 * t + 8][g], m->b[2 * t + 9][g])};
  float c[4];
  load_c(c, *m, g, t);
  if constexpr (std::is_same_v<Element, structkd::Half>) {
    mma_f16_m16n8k16(c, a, b);
  } else {
    mma_bf16_m16n8k16(c, a, b);
  }
  store_c(c, *m, g, t);
}
TEST(Mma, F16M16N8K16) { expect_kernel_multiplies<m16n8k16_kernel<structkd::Half>, 16, 16>(); }
TEST(Mma, Bf16M16N8K16) { expect_kernel_multiplies<m16n8k16_kernel<structkd::BFloat16>, 16, 16>(); }

TEST(Mma, Tf32RoundsToNearestTiesAway) {
  EXPECT_EQ(to_tf32(1.0f), 0x3f800000u);
  EXPECT_EQ(to_tf32(1.0f + 0x1p-11f), 0x3f802000u);             // a tie
  EXPECT_EQ(to_tf32(-1.0f - 0x1p-11f), 0xbf802000u);            // away from zero
  EXPECT_EQ(to_tf32(1.0f + 0x1p-11f - 0x1p-23f), 0x3f800000u);  // just below the tie
  EXPECT_EQ(to_tf32(2.0f - 0x1p-23f), 0x40000000u);             // carries into the exponent
  EXPECT_EQ(to_tf32(INFINITY), 0x7f800000u);
}

// Element (r, c) of matrix i, as a halfword that tells all three.
uint16_t element_of(int i, int r, int c) { return uint16_t(i << 8 | r << 4 | c); }

template <bool kTransposed>
__global__ void ldmatrix_kernel(uint32_t* pieces) {
  STRUCTKD_SHARED(uint4, rows, [4][8]);
  const int lane = threadIdx.x;
  uint16_t* row = reinterpret_cast<uint16_t*>(&rows[lane / 8][lane % 8]);
  for (int c = 0; c < 8; ++c) row[c] = uint16_t(lane / 8 << 8 | lane % 8 << 4 | c);
  __syncthreads();
  uint32_t mine[4];
  if constexpr (kTransposed) {
    ldmatrix_x4_trans(mine, row);
  } else {
    ldmatrix_x4(mine, row);
  }
  for (int i = 0; i < 4; ++i) pieces[lane * 4 + i] = mine[i];
}

TEST(Ldmatrix, GivesEachLaneItsPiece) {
  uint32_t plain[128], transposed[128];
  run<ldmatrix_kernel<false>>(dim3(1), dim3(32), 0, plain);
  run<ldmatrix_kernel<true>>(dim3(1), dim3(32), 0, transposed);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int g = lane / 4, t = lane % 4;
      EXPECT_EQ(plain[lane * 4 + i], element_of(i, g, 2 * t) | element_of(i, g, 2 * t + 1) << 16);
      EXPECT_EQ(transposed[lane * 4 + i], element_of(i, 2 * t, g) | element_of(i, 2 * t + 1, g)
                                                                        << 16);
    }
  }
}

__global__ void crooked_row_kernel() {
  STRUCTKD_SHARED(uint4, rows, [33]);
  uint32_t pieces[4];
  ldmatrix_x4(pieces, reinterpret_cast<const char*>(&rows[threadIdx.x]) + 4);
}

TEST(LdmatrixDeathTest, NeedsAlignedRows) {
  EXPECT_MISUSE((run<crooked_row_kernel>(dim3(1), dim3(32), 0)), "not aligned to 16 bytes");
}

__global__ void short_warp_kernel() {
  double c[2] = {0, 0};
  mma_f64_m8n8k4(c, 1.0, 1.0);
}

TEST(MmaDeathTest, NeedsAFullWarp) {
  EXPECT_MISUSE((run<short_warp_kernel>(dim3(1), dim3(16), 0)), "mma_f64_m8n8k4 needs a warp");
}

}  // namespace
}  // namespace simt_test
