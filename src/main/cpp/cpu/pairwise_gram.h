// cpu/pairwise_gram.h: the pair-wise sum and its gradient from C x C matrices, no N x N anywhere.
//
// With scaled node vectors as rows of S [N, Cs] and O [N, Co] (O = T, or D = S - T):
//   plain form       sum = |S'S|^2 - 2 |T'S|^2 + |T'T|^2               dS ~ S (S'S) - T (T'S)
//   difference form  sum = ( <U'U, D'D> + <K, K'> ) / 2, U = 2S - D, K = U'D
//                                                                      dS ~ D (T'S) + S (D'S)
// Three large norms cancel in the plain form, so its products are f64; in the difference form
// nothing cancels and f32 products are enough (figures: docs/methods/pairwise.md).
//
// Threads own tiles of the C x C matrices, never a part of a sum: same bits for any number of
// threads.
#ifndef STRUCTKD_CPU_PAIRWISE_GRAM_H
#define STRUCTKD_CPU_PAIRWISE_GRAM_H

#include <omp.h>

#include "core/workspace.h"
#include "cpu/pairwise_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Panels of nodes per step of the gradient pass: each step streams the whole coefficient matrix, so
// that it must serve several panels.
constexpr int64_t kGradPanels = 8;

template <class T>
struct Gram {
  int64_t Cs, Co;
  int64_t student_panels, other_panels;
  int64_t chunk;    // nodes that are packed at a time
  T* packed;        // [student_panels + other_panels, chunk, kPanel]
  double* ss;       // [student_panels, student_panels] tiles of [kPanel, kPanel]
  double* os;       // [other_panels, student_panels] tiles: O'S
  double* oo;       // [other_panels, other_panels] tiles
  T* coefficients;  // [student_panels, Cs + Co, kPanel]
  T* nodes;         // per thread [kGradPanels, Cs + Co, kPanel]
  T* grads;         // per thread [kGradPanels, student_panels * kPanel, kPanel]

  static constexpr int64_t P = kPanel<T>;

  Gram(const PairwiseArgs& args, int64_t N, int threads, Workspace& workspace)
      : Cs(args.student.C),
        Co(args.teacher.C),
        student_panels(panels<T>(Cs)),
        other_panels(panels<T>(Co)) {
    // About 1 MB of packed rows, the second-level cache of a server core: long enough that the
    // barriers between chunks do not count, whatever C.
    constexpr int64_t kPackedBytes = 1 << 20;
    const int64_t fitting = kPackedBytes / (P * (student_panels + other_panels) * sizeof(T));
    chunk = smaller(larger(fitting / kBlockK, int64_t(1)), int64_t(8)) * kBlockK;
    chunk = smaller(chunk, round_up(N, kBlockK));
    packed = workspace.take<T>((student_panels + other_panels) * chunk * P);
    ss = workspace.take<double>(student_panels * student_panels * P * P);
    os = workspace.take<double>(other_panels * student_panels * P * P);
    oo = workspace.take<double>(other_panels * other_panels * P * P);
    coefficients = nodes = grads = nullptr;
    if (!args.want_grad) return;
    coefficients = workspace.take<T>(student_panels * (Cs + Co) * P);
    nodes = workspace.take<T>(threads * node_elements());
    grads = workspace.take<T>(threads * grad_elements());
  }

  int64_t node_elements() const { return kGradPanels * (Cs + Co) * P; }
  int64_t grad_elements() const { return kGradPanels * student_panels * P * P; }
};

// Element (i, j) of a matrix stored in tiles.
inline double& tiled(double* tiles, int64_t tile_columns, int64_t P, int64_t i, int64_t j) {
  return tiles[((i / P) * tile_columns + j / P) * P * P + i % P * P + j % P];
}

// Row c of O: of T, or of D = S - T, formed in f64 so that close values keep all their bits.
inline void load_other(const NodeGroup& group,
                       bool difference,
                       int64_t image,
                       int64_t c,
                       int64_t n0,
                       int64_t count,
                       double* row) {
  load_teacher(group, image, c, n0, count, row);
  if (!difference) return;
  double s[kStrip];
  load_student(group, image, c, n0, count, s);
  for (int64_t i = 0; i < count; ++i) row[i] = s[i] - row[i];
}

// Packs one panel of channels for kBlockK nodes from n0 + k0 on; nodes past the image become zero.
template <class T>
inline void pack_channels(const NodeGroup& group,
                          const Gram<T>& gram,
                          bool difference,
                          int64_t image,
                          int64_t panel,
                          int64_t n0,
                          int64_t k0) {
  constexpr int64_t P = kPanel<T>;
  const bool student = panel < gram.student_panels;
  const int64_t c0 = (student ? panel : panel - gram.student_panels) * P;
  const int64_t channels = smaller(P, (student ? gram.Cs : gram.Co) - c0);
  const int64_t count = smaller(kBlockK, group.N - n0 - k0);
  T rows[P * kBlockK];
  for (int64_t r = 0; r < channels; ++r) {
    double row[kBlockK] = {};
    if (count > 0 && student) load_student(group, image, c0 + r, n0 + k0, count, row);
    if (count > 0 && !student) load_other(group, difference, image, c0 + r, n0 + k0, count, row);
    for (int64_t k = 0; k < kBlockK; ++k) rows[r * kBlockK + k] = T(row[k]);
  }
  pack_panel(rows, kBlockK, channels, kBlockK, gram.packed + (panel * gram.chunk + k0) * P);
}

// Second pass: the three matrices.
template <class T>
inline void accumulate_matrices(const NodeGroup& group, const Gram<T>& gram, bool difference) {
  constexpr int64_t P = kPanel<T>;
  const int64_t sp = gram.student_panels, op = gram.other_panels;
  const int64_t ss_tiles = sp * sp, os_tiles = op * sp, oo_tiles = op * op;
  memset(gram.ss, 0, size_t(ss_tiles * P * P) * sizeof(double));
  memset(gram.os, 0, size_t(os_tiles * P * P) * sizeof(double));
  memset(gram.oo, 0, size_t(oo_tiles * P * P) * sizeof(double));
#pragma omp parallel num_threads(group.threads)
  for (int64_t image = 0; image < group.images; ++image) {
    for (int64_t n0 = 0; n0 < group.N; n0 += gram.chunk) {
      const int64_t blocks = divide_up(smaller(gram.chunk, group.N - n0), kBlockK);
#pragma omp for schedule(static)
      for (int64_t task = 0; task < (sp + op) * blocks; ++task) {
        pack_channels(group, gram, difference, image, task / blocks, n0, task % blocks * kBlockK);
      }
      // Interleaved by 2, since only the upper triangles of the square matrices are computed.
#pragma omp for schedule(static, 2)
      for (int64_t task = 0; task < ss_tiles + os_tiles + oo_tiles; ++task) {
        double* matrix = gram.ss;
        int64_t tile = task, row_panels = 0, column_panels = 0, columns = sp;
        bool symmetric = true;
        if (task >= ss_tiles + os_tiles) {
          matrix = gram.oo;
          tile = task - ss_tiles - os_tiles;
          row_panels = column_panels = sp;
          columns = op;
        } else if (task >= ss_tiles) {
          matrix = gram.os;
          tile = task - ss_tiles;
          row_panels = sp;
          symmetric = false;
        }
        const int64_t row = tile / columns, column = tile % columns;
        if (symmetric && row > column) continue;
        blocked_panel_product(blocks * kBlockK, gram.packed + (row_panels + row) * gram.chunk * P,
                              gram.packed + (column_panels + column) * gram.chunk * P,
                              matrix + tile * P * P);
      }
    }
  }
  for (int64_t i = 0; i < sp * P; ++i) {
    for (int64_t j = 0; j < i; ++j) tiled(gram.ss, sp, P, i, j) = tiled(gram.ss, sp, P, j, i);
  }
  for (int64_t i = 0; i < op * P; ++i) {
    for (int64_t j = 0; j < i; ++j) tiled(gram.oo, op, P, i, j) = tiled(gram.oo, op, P, j, i);
  }
}

inline double sum_of_squares(const double* values, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += values[i] * values[i];
  return sum;
}

template <class T>
inline PairSums pair_sums(const Gram<T>& gram, bool difference) {
  constexpr int64_t P = kPanel<T>;
  const int64_t sp = gram.student_panels, op = gram.other_panels;
  const double student = sum_of_squares(gram.ss, sp * sp * P * P);
  if (!difference) {
    const double sum = student - 2.0 * sum_of_squares(gram.os, op * sp * P * P) +
                       sum_of_squares(gram.oo, op * op * P * P);
    return {sum < 0.0 ? 0.0 : sum, student};  // rounding of the norms; a NaN stays
  }
  double sum = 0.0;
  for (int64_t i = 0; i < gram.Cs; ++i) {
    for (int64_t j = 0; j < gram.Cs; ++j) {
      const double ss = tiled(gram.ss, sp, P, i, j), dd = tiled(gram.oo, sp, P, i, j);
      const double ds = tiled(gram.os, sp, P, i, j), sd = tiled(gram.os, sp, P, j, i);
      sum += (4.0 * ss - 2.0 * ds - 2.0 * sd + dd) * dd + (2.0 * sd - dd) * (2.0 * ds - dd);
    }
  }
  return {sum < 0.0 ? 0.0 : 0.5 * sum, student};
}

// The matrix that takes [s; o] of a node to its gradient.
template <class T>
inline void set_coefficients(const Gram<T>& gram, bool difference) {
  constexpr int64_t P = kPanel<T>;
  const int64_t sp = gram.student_panels, K = gram.Cs + gram.Co;
  for (int64_t c = 0; c < sp * P; ++c) {
    T* column = gram.coefficients + c / P * K * P + c % P;
    for (int64_t k = 0; k < gram.Cs; ++k) {
      column[k * P] = c >= gram.Cs ? T(0) : T(tiled(difference ? gram.os : gram.ss, sp, P, k, c));
    }
    for (int64_t k = 0; k < gram.Co; ++k) {
      const double os = c >= gram.Cs ? 0.0 : tiled(gram.os, sp, P, k, c);
      const double ss = c >= gram.Cs || !difference ? 0.0 : tiled(gram.ss, sp, P, k, c);
      column[(gram.Cs + k) * P] = T(difference ? ss - os : -os);
    }
  }
}

// Third pass: grad = factor * chain rule of [s; o] times the coefficients, a few panels at a time.
template <class T>
inline void write_grad(const NodeGroup& group,
                       const Gram<T>& gram,
                       bool difference,
                       double factor) {
  constexpr int64_t P = kPanel<T>;
  constexpr int64_t kStep = kGradPanels * P;
  static_assert(kStep <= kStrip, "a row of one step must fit the row buffers");
  const int64_t K = gram.Cs + gram.Co, steps = divide_up(group.N, kStep);
  set_coefficients(gram, difference);
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t task = 0; task < group.images * steps; ++task) {
    T* nodes = gram.nodes + omp_get_thread_num() * gram.node_elements();
    T* grads = gram.grads + omp_get_thread_num() * gram.grad_elements();
    const int64_t image = task / steps, n0 = task % steps * kStep;
    const int64_t count = smaller(kStep, group.N - n0), step_panels = divide_up(count, P);
    for (int64_t k = 0; k < K; ++k) {
      double row[kStep] = {};
      if (k < gram.Cs) {
        load_student(group, image, k, n0, count, row);
      } else {
        load_other(group, difference, image, k - gram.Cs, n0, count, row);
      }
      for (int64_t i = 0; i < step_panels * P; ++i) {
        nodes[(i / P * K + k) * P + i % P] = T(row[i]);
      }
    }
    for (int64_t c = 0; c < gram.student_panels; ++c) {
      for (int64_t p = 0; p < step_panels; ++p) {
        panel_product<T, T, false>(K, gram.coefficients + c * K * P, nodes + p * K * P,
                                   grads + (p * gram.student_panels + c) * P * P);
      }
    }
    for (int64_t p = 0; p < step_panels; ++p) {
      write_grad_panel(group, image, n0 + p * P, smaller(P, count - p * P), nodes + p * K * P,
                       grads + p * gram.student_panels * P * P, factor);
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_GRAM_H
