// simt/mma.h: twins of cuda/common/mma.cuh. Each lane hands in its fragments and computes its own
// elements of C from everybody's, in the layout that mma.cuh describes.
//
// Products of tf32, f16 and bf16 are exact in f32; the sums are rounded one by one, where a tensor
// core keeps more or fewer bits.
#ifndef STRUCTKD_SIMT_MMA_H
#define STRUCTKD_SIMT_MMA_H

#include "core/half.h"
#include "simt/report.h"
#include "simt/simt.h"

namespace structkd::cuda {
namespace {

// One lane's part of A and B. Pack elements share a 32-bit register on the device.
template <class T, int Pack, int CountA, int CountB>
struct Fragments {
  T a[CountA];
  T b[CountB];

  static int lane_of_a(int row, int k) { return row % 8 * 4 + k / Pack % 4; }
  static int index_of_a(int row, int k) {
    return Pack * (row / 8 + 2 * (k / (4 * Pack))) + k % Pack;
  }
  static int lane_of_b(int k, int column) { return column * 4 + k / Pack % 4; }
  static int index_of_b(int k) { return Pack * (k / (4 * Pack)) + k % Pack; }
};

template <int K, class F, class T, int CountC>
void multiply_fragments(const char* name, T (&c)[CountC], const F& mine, simt::Site site) {
  const simt::Exchange all = simt::exchange(name, kFullWarp, mine, site);
  if (all.lanes != kFullWarp) simt::fail("%s needs a warp of 32 threads", name);
  const int g = simt::running->lane / 4, t = simt::running->lane % 4;
  for (int i = 0; i < CountC; ++i) {
    const int row = g + 8 * (i / 2), column = 2 * t + i % 2;
    for (int k = 0; k < K; ++k) {
      c[i] += all.of<F>(F::lane_of_a(row, k)).a[F::index_of_a(row, k)] *
              all.of<F>(F::lane_of_b(k, column)).b[F::index_of_b(k)];
    }
  }
}

inline void mma_f64_m8n8k4(double (&c)[2], double a, double b, simt::Site site = simt::here()) {
  multiply_fragments<4>("mma_f64_m8n8k4", c, Fragments<double, 1, 1, 1>{{a}, {b}}, site);
}

inline void mma_f64_m16n8k8(double (&c)[4],
                            const double (&a)[4],
                            const double (&b)[2],
                            simt::Site site = simt::here()) {
  multiply_fragments<8>("mma_f64_m16n8k8", c,
                        Fragments<double, 1, 4, 2>{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, site);
}

inline void mma_f64_m16n8k16(double (&c)[4],
                             const double (&a)[8],
                             const double (&b)[4],
                             simt::Site site = simt::here()) {
  Fragments<double, 1, 8, 4> mine;
  for (int i = 0; i < 8; ++i) mine.a[i] = a[i];
  for (int i = 0; i < 4; ++i) mine.b[i] = b[i];
  multiply_fragments<16>("mma_f64_m16n8k16", c, mine, site);
}

inline uint32_t to_tf32(float x) {
  const uint32_t bits = bits_of(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;  // infinity and NaN stay
  return (bits + 0x1000u) & 0xffffe000u;
}

inline void mma_tf32_m16n8k8(float (&c)[4],
                             const uint32_t (&a)[4],
                             const uint32_t (&b)[2],
                             simt::Site site = simt::here()) {
  // The device does not look at the lower 13 bits.
  Fragments<float, 1, 4, 2> mine;
  for (int i = 0; i < 4; ++i) mine.a[i] = float_of(a[i] & 0xffffe000u);
  for (int i = 0; i < 2; ++i) mine.b[i] = float_of(b[i] & 0xffffe000u);
  multiply_fragments<8>("mma_tf32_m16n8k8", c, mine, site);
}

template <class Element>
void mma_16bit_m16n8k16(const char* name,
                        float (&c)[4],
                        const uint32_t (&a)[4],
                        const uint32_t (&b)[2],
                        simt::Site site) {
  Fragments<float, 2, 8, 4> mine;
  for (int i = 0; i < 8; ++i) mine.a[i] = to_float(Element{uint16_t(a[i / 2] >> 16 * (i % 2))});
  for (int i = 0; i < 4; ++i) mine.b[i] = to_float(Element{uint16_t(b[i / 2] >> 16 * (i % 2))});
  multiply_fragments<16>(name, c, mine, site);
}

inline void mma_f16_m16n8k16(float (&c)[4],
                             const uint32_t (&a)[4],
                             const uint32_t (&b)[2],
                             simt::Site site = simt::here()) {
  mma_16bit_m16n8k16<Half>("mma_f16_m16n8k16", c, a, b, site);
}

inline void mma_bf16_m16n8k16(float (&c)[4],
                              const uint32_t (&a)[4],
                              const uint32_t (&b)[2],
                              simt::Site site = simt::here()) {
  mma_16bit_m16n8k16<BFloat16>("mma_bf16_m16n8k16", c, a, b, site);
}

// A row of a matrix, as its lane reads it: requests of 16 bytes, eight lanes at a time, as on a
// device.
struct MatrixRow {
  uint4 words;

  uint32_t word(int i) const {
    return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w;
  }
  uint32_t half(int i) const { return word(i / 2) >> 16 * (i % 2) & 0xffff; }
};

template <class Piece>
void load_matrices(
    const char* name, uint32_t (&pieces)[4], const void* row, simt::Site site, Piece&& piece) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
    simt::fail("%s at %s:%d: a row that is not aligned to 16 bytes", name, site.file, site.line);
  }
  const MatrixRow mine = {*static_cast<const uint4*>(row)};
  const simt::Exchange all = simt::exchange(name, kFullWarp, mine, site);
  if (all.lanes != kFullWarp) simt::fail("%s needs a warp of 32 threads", name);
  for (int i = 0; i < 4; ++i) {
    pieces[i] = piece([&](int r) { return all.of<MatrixRow>(8 * i + r); });
  }
}

inline void ldmatrix_x4(uint32_t (&pieces)[4], const void* row, simt::Site site = simt::here()) {
  const int g = simt::running->lane / 4, t = simt::running->lane % 4;
  load_matrices("ldmatrix_x4", pieces, row, site, [&](auto&& row_of) { return row_of(g).word(t); });
}

inline void ldmatrix_x4_trans(uint32_t (&pieces)[4],
                              const void* row,
                              simt::Site site = simt::here()) {
  const int g = simt::running->lane / 4, t = simt::running->lane % 4;
  load_matrices("ldmatrix_x4_trans", pieces, row, site, [&](auto&& row_of) {
    return row_of(2 * t).half(g) | row_of(2 * t + 1).half(g) << 16;
  });
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_SIMT_MMA_H
