// cpu/inter_class_grad.h: from the derivative G by the divergences of an image to the gradient of
// its logits, in one pass over the student.
//
//   dz_k = 1/temperature ( p_k (sum_j V_kj u_j + v_k) - sum_j G_jk p_j )
//   V_kj = -G_kj, V_kk = g_k = sum_j G_kj   (G_kk = 0: M_kk is always 0)
//   v_k  = sum_j G_kj lse_j - g_k lse_k - sum_j G_kj M_kj + sum_j G_jk
#ifndef STRUCTKD_CPU_INTER_CLASS_GRAD_H
#define STRUCTKD_CPU_INTER_CLASS_GRAD_H

#include "cpu/inter_class_matrix.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
struct ClassGrad {
  double* G;        // [K, K] d loss / d M
  T* coefficients;  // [class_rows / 4, K, 8]: 4 of V, then 4 of G', divided by the temperature
  T* constants;     // [class_rows] v / temperature
  T* inverse_mass;  // [K] p = e^{u - maximum} * inverse_mass

  ClassGrad(int64_t K, Workspace& workspace)
      : G(workspace.take<double>(K * K)),
        coefficients(workspace.take<T>(class_rows(K) * K * 2)),
        constants(workspace.take<T>(class_rows(K))),
        inverse_mass(workspace.take<T>(class_rows(K))) {}
};

template <class T>
inline void set_coefficients(const ClassGrad<T>& grad,
                             const ClassNet<T>& student,
                             double temperature) {
  const int64_t K = student.map->C;
  double* G = grad.G;
  for (int64_t k = 0; k < K; ++k) G[k * K + k] = 0.0;
  for (int64_t k = 0; k < class_rows(K); ++k) {
    T* block = grad.coefficients + k / kClassBlock * K * 2 * kClassBlock + k % kClassBlock;
    double row_sum = 0.0, constant = 0.0;
    for (int64_t j = 0; j < K && k < K; ++j) {
      row_sum += G[k * K + j];
      constant += G[k * K + j] * (student.lse[j] - student.lse[k] - student.M[k * K + j]);
      constant += G[j * K + k];
    }
    for (int64_t j = 0; j < K; ++j) {
      T* pair = block + j * 2 * kClassBlock;
      pair[0] = k >= K ? T(0) : T((j == k ? row_sum : -G[k * K + j]) / temperature);
      pair[kClassBlock] = k >= K ? T(0) : T(G[j * K + k] / temperature);
    }
    grad.constants[k] = T(constant / temperature);
  }
  for (int64_t k = 0; k < K; ++k) grad.inverse_mass[k] = T(1.0 / student.image.mass[k]);
}

// step[k + r, 0 .. kStepPixels) = gradients of the 4 classes from k on at the pixels from x on.
template <class T>
inline void grad_block(
    const ClassGrad<T>& grad, const Tile<T>& tile, int64_t K, int64_t k, int64_t x) {
  constexpr int kVectors = kStepPixels<T> / kLanes<T>;
  const T* pair = grad.coefficients + k * K * 2;
  const T* u = tile.u + x;
  const T* p = tile.e + x;
  Vector<T> slope[kClassBlock][kVectors] = {}, inflow[kClassBlock][kVectors] = {};
  for (int64_t j = 0; j < K; ++j) {
    Vector<T> uj[kVectors], pj[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      uj[v] = load(u + v * kLanes<T>);
      pj[v] = load(p + v * kLanes<T>);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kClassBlock; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        slope[r][v] += pair[r] * uj[v];
        inflow[r][v] += pair[kClassBlock + r] * pj[v];
      }
    }
    pair += 2 * kClassBlock;
    u += tile.stride;
    p += tile.stride;
  }
#pragma GCC unroll 4
  for (int r = 0; r < kClassBlock; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const Vector<T> pk = load(tile.e + (k + r) * tile.stride + x + v * kLanes<T>);
      store(tile.step + (k + r) * kStepPixels<T> + v * kLanes<T>,
            Vector<T>(pk * (slope[r][v] + grad.constants[k + r]) - inflow[r][v]));
    }
  }
}

// Gradient of one tile; ignored pixels get 0.
template <class T>
inline void write_grad_tile(const InterClassSimilarityArgs& args,
                            const ClassNet<T>& student,
                            const ClassGrad<T>& grad,
                            const Tile<T>& tile,
                            int64_t b,
                            const Pixels& pixels) {
  const int64_t K = args.student.C;
  const T inverse_temperature = T(1.0 / args.temperature);
  const int64_t columns = padded_columns<T>(pixels.count);
  for (int64_t k = 0; k < K && pixels.count > 0; ++k) {
    T* u = tile.u + k * tile.stride;
    T* p = tile.e + k * tile.stride;
    load_shifted(args.student, b, k, pixels, student.shift[k], inverse_temperature, u);
    exponentials(u, T(student.image.maximum[k]), pixels.count, p);
    for (int64_t x = 0; x < columns; ++x) p[x] *= grad.inverse_mass[k];
  }
  // All classes of a few pixels before the next pixels: their columns stay in the first cache. The
  // gradients then take the place of u.
  for (int64_t x = 0; x < columns; x += kStepPixels<T>) {
    for (int64_t k = 0; k < K; k += kClassBlock) grad_block(grad, tile, K, k, x);
    for (int64_t k = 0; k < K; ++k) {
      memcpy(tile.u + k * tile.stride + x, tile.step + k * kStepPixels<T>,
             sizeof(T) * kStepPixels<T>);
    }
  }
  for (int64_t k = 0; k < K; ++k) {
    const T* row = tile.u + k * tile.stride;
    if (pixels.index != nullptr) {
      memset(tile.expanded, 0, size_t(pixels.span) * sizeof(T));
      for (int64_t i = 0; i < pixels.count; ++i) tile.expanded[pixels.index[i]] = row[i];
      row = tile.expanded;
    }
    store_row(args.grad, b, k, pixels.first, pixels.span, row);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_GRAD_H
