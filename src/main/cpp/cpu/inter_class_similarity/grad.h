// cpu/inter_class_similarity/grad.h: from the derivative G by the divergences of an image to the
// gradient of its logits, in one pass over the student.
//
//   dz_k = 1/temperature ( p_k (sum_j V_kj u_j ln 2 + v_k) - sum_j G_jk p_j ),   p_k = e_k / l_k
//   V_kj = -G_kj, V_kk = g_k = sum_j G_kj   (G_kk = 0: M_kk is always 0)
//   v_k  = sum_j G_kj lse_j ln 2 - g_k lse_k ln 2 - sum_j G_kj M_kj + sum_j G_jk
//
// All factors that do not depend on the pixel are in the coefficients.
#ifndef STRUCTKD_CPU_INTER_CLASS_SIMILARITY_GRAD_H
#define STRUCTKD_CPU_INTER_CLASS_SIMILARITY_GRAD_H

#include "cpu/inter_class_similarity/matrix.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
struct ClassGrad {
  double* G;  // [K, K] d loss / d M
  // The coefficients of each group of classes in turn, with the class innermost: [K, size].
  T* slopes;     // V ln 2 / l_k / temperature
  T* inflows;    // -G' / l_j / temperature
  T* constants;  // [K] v / l_k / temperature

  ClassGrad(int64_t K, Workspace& workspace)
      : G(workspace.take<double>(K * K)),
        slopes(workspace.take<T>(K * K)),
        inflows(workspace.take<T>(K * K)),
        constants(workspace.take<T>(K)) {}
};

template <class T>
inline void set_coefficients(const ClassGrad<T>& grad,
                             const ClassNet<T>& student,
                             double temperature) {
  const int64_t K = student.map->C;
  double* G = grad.G;
  const double *lse = student.lse, *mass = student.image.mass;
  for (int64_t k = 0; k < K; ++k) G[k * K + k] = 0.0;
  const Groups groups(K, kRows<T>);
  groups.for_each([&](int64_t first, int64_t size) {
    for (int64_t k = first; k < first + size; ++k) {
      T* slopes = grad.slopes + first * K + k - first;
      T* inflows = grad.inflows + first * K + k - first;
      const double scale = 1.0 / (mass[k] * temperature);
      double row_sum = 0.0, constant = 0.0;
      for (int64_t j = 0; j < K; ++j) {
        row_sum += G[k * K + j];
        constant += G[k * K + j] * (kLn2 * (lse[j] - lse[k]) - student.M[k * K + j]);
        constant += G[j * K + k];
      }
      for (int64_t j = 0; j < K; ++j) {
        slopes[j * size] = T((j == k ? row_sum : -G[k * K + j]) * kLn2 * scale);
        inflows[j * size] = T(-G[j * K + k] / (mass[j] * temperature));
      }
      grad.constants[k] = T(constant * scale);
    }
  });
}

// A thread's buffers.
template <class T>
struct GradTile {
  int64_t stride;
  T* rows;  // [K, stride] logits, then gradients that do not lie in place
  T* u;     // [K, kColumns] of a few pixels with all their classes
  T* e;     // [K, kColumns]

  GradTile(int64_t K, Workspace& workspace)
      : stride(tile_stride<T>(K)),
        rows(workspace.take<T>(K * stride)),
        u(workspace.take<T>(K * kColumns<T>)),
        e(workspace.take<T>(K * kColumns<T>)) {}
};

// Where the gradients of a tile go, a row per class.
template <class T>
struct Gradients {
  T* data;
  int64_t stride;
  bool in_place;
  bool past_caches;  // by aligned vectors, straight from the sums: they leave while others are
                     // formed

  Gradients(const Map& map, int64_t b, const Pixels& pixels, const GradTile<T>& tile) {
    T* const place = tile_in_place<T>(map, b, pixels);
    const bool aligned = uintptr_t(place) % kVectorBytes == 0 && map.stride_c % kLanes<T> == 0;
    in_place = place != nullptr && (aligned || !streams<T>(map));
    past_caches = in_place && streams<T>(map);
    data = in_place ? place : tile.rows;
    stride = in_place ? map.stride_c : tile.stride;
  }
};

// low[r], high[r] += sum_j coefficients[j, r] columns[j], kColumns wide, j < K. Inlined: the sums
// stay in registers.
template <class T, int rows>
__attribute__((always_inline)) inline void add_rows(int64_t K,
                                                    const T* coefficients,
                                                    const T* columns,
                                                    Vector<T> (&low)[rows],
                                                    Vector<T> (&high)[rows]) {
  for (int64_t j = 0; j < K; ++j) {
    const Vector<T> c0 = load(columns), c1 = load(columns + kLanes<T>);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      low[r] += coefficients[r] * c0;
      high[r] += coefficients[r] * c1;
    }
    coefficients += rows;
    columns += kColumns<T>;
  }
}

// Gradients of `rows` classes from `first` on for kColumns pixels from x on. A function of its own,
// so that the sums stay in registers.
template <class T, int rows>
__attribute__((noinline)) void write_gradients(int64_t K,
                                               int64_t first,
                                               const ClassGrad<T>& grad,
                                               const GradTile<T>& tile,
                                               const Gradients<T>& gradients,
                                               int64_t x) {
  const T *u = tile.u, *e = tile.e, *own_e = tile.e + first * kColumns<T>;
  const T *slopes = grad.slopes + first * K, *inflows = grad.inflows + first * K;
  const T* constants = grad.constants + first;
  Vector<T> low[rows] = {}, high[rows] = {};
  add_rows<T, rows>(K, slopes, u, low, high);
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    low[r] = (low[r] + constants[r]) * load(own_e + r * kColumns<T>);
    high[r] = (high[r] + constants[r]) * load(own_e + r * kColumns<T> + kLanes<T>);
  }
  add_rows<T, rows>(K, inflows, e, low, high);
  T* out = gradients.data + first * gradients.stride + x;
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    if (gradients.past_caches) {
      stream(out, low[r]);
      stream(out + kLanes<T>, high[r]);
    } else {
      store(out, low[r]);
      store(out + kLanes<T>, high[r]);
    }
    out += gradients.stride;
  }
}

// Gradient of one tile; ignored pixels get 0.
template <class T>
inline void write_grad_tile(const InterClassSimilarityArgs& args,
                            const ClassNet<T>& student,
                            const ClassGrad<T>& grad,
                            const GradTile<T>& tile,
                            T scale,
                            int64_t b,
                            const Pixels& pixels) {
  const int64_t K = args.student.C;
  const Groups groups(K, kRows<T>);
  const Logits<T> logits =
      logits_of_tile(args.student, student.shift, b, pixels, tile.rows, tile.stride);
  const Gradients<T> gradients(args.grad, b, pixels, tile);
  for (int64_t x = 0; x < pixels.count; x += kColumns<T>) {
    for (int64_t k = 0; k < K; ++k) {
      const T* z = logits.row(k) + x;
      const T shift = student.shift[k], reference = T(student.image.reference[k]);
      T *u = tile.u + k * kColumns<T>, *e = tile.e + k * kColumns<T>;
#pragma GCC unroll 2
      for (int l = 0; l < kColumns<T>; l += kLanes<T>) {
        if (logits.in_place) __builtin_prefetch(z + pixels.span + l, 0, 2);  // the next tile
        const Vector<T> shifted = (load(z + l) - shift) * scale;
        store(u + l, shifted);
        store(e + l, vector_exp2<T>(shifted - reference));
      }
    }
    groups.for_each([&](int64_t first, int64_t size) {
      with_size<kRows<T>>(size, [&](auto count) {
        write_gradients<T, decltype(count)::value>(K, first, grad, tile, gradients, x);
      });
    });
  }
  if (gradients.in_place) return;
  for (int64_t k = 0; k < K; ++k) {
    T* row = tile.rows + k * tile.stride;
    if (pixels.index != nullptr) {
      // Puts the gradients back to their places, the last one first: index[i] >= i.
      int64_t i = pixels.count;
      for (int64_t x = pixels.span - 1; x >= 0; --x) {
        row[x] = i > 0 && pixels.index[i - 1] == x ? row[--i] : T(0);
      }
    }
    store_grad_row(args.grad, b, k, pixels.first, pixels.span, row);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_SIMILARITY_GRAD_H
