// cpu/pairwise/gram.h: the pair-wise sum and its gradient from C x C matrices, no N x N anywhere.
//
// With scaled node vectors as rows of S [N, Cs] and O [N, Co] (O = T, or D = S - T):
//   plain form       sum = |S'S|^2 - 2 |T'S|^2 + |T'T|^2               dS ~ S (S'S) - T (T'S)
//   difference form  sum = ( <U'U, D'D> + <K, K'> ) / 2, U = 2S - D, K = U'D
//                                                                      dS ~ D (T'S) + S (D'S)
// Three large norms cancel in the plain form, so its products are f64. In the difference form f32
// products are enough, unless K is nearly antisymmetric: where the student is the teacher turned,
// D is large and the affinities are equal (f32_suffices; docs/methods/pairwise.md).
//
// Threads own tiles of the C x C matrices, never a part of a sum: same bits for any number of
// threads.
#ifndef STRUCTKD_CPU_PAIRWISE_GRAM_H
#define STRUCTKD_CPU_PAIRWISE_GRAM_H

#include <omp.h>

#include "core/workspace.h"
#include "cpu/common/lane_sums.h"
#include "cpu/common/transpose.h"
#include "cpu/pairwise/nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Panels of nodes per step of the gradient pass: each step streams the whole coefficient matrix, so
// that it must serve several panels.
constexpr int64_t kGradPanels = 8;

// Nodes that are packed at a time, in blocks of kBlockK.
constexpr int64_t kChunkBlocks = 2;

// Packed rows of one task: they stay in the second-level cache (half of 1 MB) while panels of
// columns pass by.
constexpr int64_t kGroupBytes = 512 << 10;

// A C x C matrix of sums over nodes, panel by panel of columns, so that what a micro-kernel adds to
// lies together; with room for whole micro-kernels.
template <class T>
struct SumMatrix {
  static constexpr int64_t P = kColumns<T>;

  int64_t rows;  // padded
  double* data;  // [panels, rows, P]

  SumMatrix(int64_t C, int64_t panels, Workspace& workspace)
      : rows(RowBlocks<T>::padded(C)), data(workspace.take<double>(panels * rows * P)) {}

  double* panel(int64_t p) const { return data + p * rows * P; }
  double& at(int64_t i, int64_t j) const { return panel(j / P)[i * P + j % P]; }
};

template <class T>
struct Gram {
  static constexpr int64_t P = kColumns<T>, R = kRows<T>;

  int64_t Cs, Co;
  int64_t student_panels, other_panels;  // of columns
  int64_t chunk;                         // nodes that are packed at a time
  RowBlocks<T> rows;                     // [channels of S, then of O] over the nodes of a chunk
  T* columns;                            // [student_panels + other_panels, chunk, P]
  SumMatrix<T> ss, os, oo;               // S'S, O'S, O'O
  PairSums* panel_sums;                  // per panel of columns
  RowBlocks<T> coefficients;             // [Cs] over Cs + Co
  T* nodes;                              // per thread [kGradPanels, Cs + Co, P]
  T* grads;                              // per thread [kGradPanels, padded Cs, P]

  Gram(const PairwiseArgs& args, int64_t N, int threads, Workspace& workspace)
      : Cs(args.student.C),
        Co(args.teacher.C),
        student_panels(column_panels<T>(Cs)),
        other_panels(column_panels<T>(Co)),
        ss(Cs, student_panels, workspace),
        os(Co, student_panels, workspace),
        oo(Co, other_panels, workspace) {
    panel_sums = workspace.take<PairSums>(larger(student_panels, other_panels));
    // The two passes use the same memory one after the other.
    Workspace sums_pass = workspace, grad_pass = workspace;
    chunk = smaller(kChunkBlocks * kBlockK, round_up(N, kBlockK));
    columns = sums_pass.take<T>((student_panels + other_panels) * chunk * P);
    rows.count = other_row() + padded_rows(Co);
    rows.data = sums_pass.take<T>(rows.count * chunk);
    if (args.want_grad) {
      coefficients.count = RowBlocks<T>::padded(Cs);
      coefficients.data = grad_pass.take<T>(RowBlocks<T>::elements(Cs, Cs + Co));
      nodes = grad_pass.take<T>(threads * node_elements());
      grads = grad_pass.take<T>(threads * grad_elements());
    }
    workspace = sums_pass.bytes() < grad_pass.bytes() ? grad_pass : sums_pass;
  }

  // Rows are packed by panels of columns and multiplied by micro-kernels: room for both.
  static int64_t padded_rows(int64_t C) { return larger(round_up(C, R), round_up(C, P)); }
  int64_t other_row() const { return padded_rows(Cs); }

  int64_t node_elements() const { return kGradPanels * (Cs + Co) * P; }
  int64_t grad_elements() const { return kGradPanels * coefficients.count * P; }
};

// Reads row c of O, which is T, or D = S - T.
template <class T>
inline void load_other(const NodeGroup& group,
                       bool difference,
                       int64_t image,
                       int64_t c,
                       int64_t n0,
                       int64_t count,
                       T* row) {
  if (difference) {
    load_difference(group, image, c, n0, count, row);
  } else {
    load_teacher(group, image, c, n0, count, row);
  }
}

// Packs one panel of channels for a block of kBlockK nodes, as rows and as columns; nodes past the
// image and channels past the last become zero.
template <class T>
inline void pack_channels(const NodeGroup& group,
                          const Gram<T>& gram,
                          bool difference,
                          int64_t image,
                          int64_t panel,
                          int64_t n0,
                          int64_t block) {
  constexpr int64_t P = kColumns<T>;
  const bool student = panel < gram.student_panels;
  const int64_t C = student ? gram.Cs : gram.Co;
  const int64_t c0 = (student ? panel : panel - gram.student_panels) * P;
  const int64_t end = c0 + P < C ? c0 + P : gram.padded_rows(C);
  const int64_t n = n0 + block * kBlockK;
  const int64_t count = larger(int64_t(0), smaller(kBlockK, group.N - n));
  T* rows = gram.rows.row(student ? 0 : gram.other_row(), block);
  for (int64_t c = c0; c < end; ++c) {
    T* row = rows + c * kBlockK;
    const int64_t filled = c < C ? count : 0;
    memset(row + filled, 0, size_t(kBlockK - filled) * sizeof(T));
    if (filled == 0) continue;
    if (student) {
      load_student(group, image, c, n, filled, row);
    } else {
      load_other(group, difference, image, c, n, filled, row);
    }
  }
  transpose(P, kBlockK, rows + c0 * kBlockK, kBlockK,
            gram.columns + (panel * gram.chunk + block * kBlockK) * P, P);
}

// matrix += rows' columns over the first `blocks` blocks of the packed chunk.
template <class T>
struct Product {
  SumMatrix<T> matrix;
  int64_t row0, rows;      // channels
  int64_t panel0, panels;  // of columns
  bool symmetric;          // only the upper triangle is computed
};

// Rows per task: as many as the cache takes, fewer where threads would have nothing to do.
template <class T>
inline int64_t group_rows(const Product<T>& product, int threads) {
  constexpr int64_t R = kRows<T>,
                    kFitting = kGroupBytes / (kChunkBlocks * kBlockK * int64_t(sizeof(T)));
  const int64_t enough_groups = divide_up(4 * threads, product.panels);
  return larger(smaller(kFitting / R, divide_up(product.rows, R * enough_groups)), int64_t(1)) * R;
}

// One task of a product: `rows` rows from `first` on, one panel of columns.
template <class T>
inline void add_block(const Gram<T>& gram,
                      const Product<T>& product,
                      int64_t blocks,
                      int64_t first,
                      int64_t rows,
                      int64_t panel) {
  constexpr int64_t P = kColumns<T>, R = kRows<T>;
  int64_t end = smaller(first + rows, product.rows);
  if (product.symmetric) end = smaller(end, (panel + 1) * P);
  const T* columns = gram.columns + (product.panel0 + panel) * gram.chunk * P;
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t row = first; row < end; row += R) {
      micro_kernel(kBlockK, gram.rows.row(product.row0 + row, block), columns + block * kBlockK * P,
                   product.matrix.panel(panel) + row * P, P);
    }
  }
}

// matrix = its upper triangle on both sides. Eight rows at a time: what is read by columns is read
// by whole cache lines. Called by all threads of a team.
template <class T>
inline void mirror(const SumMatrix<T>& matrix, int64_t C) {
#pragma omp for schedule(static)
  for (int64_t i0 = 0; i0 < C; i0 += 8) {
    for (int64_t j = 0; j < smaller(i0 + 8, C); ++j) {
      for (int64_t i = larger(i0, j + 1); i < smaller(i0 + 8, C); ++i) {
        matrix.at(i, j) = matrix.at(j, i);
      }
    }
  }
}

// The second pass makes the three matrices.
template <class T>
inline void accumulate_matrices(const NodeGroup& group, const Gram<T>& gram, bool difference) {
  constexpr int64_t P = kColumns<T>;
  const int64_t sp = gram.student_panels, op = gram.other_panels;
  const Product<T> products[] = {{gram.ss, 0, gram.Cs, 0, sp, true},
                                 {gram.os, gram.other_row(), gram.Co, 0, sp, false},
                                 {gram.oo, gram.other_row(), gram.Co, sp, op, true}};
  for (const Product<T>& product : products) {
    memset(product.matrix.data, 0,
           size_t(product.panels * product.matrix.rows * P) * sizeof(double));
  }
#pragma omp parallel num_threads(group.threads)
  {
    for (int64_t image = 0; image < group.images; ++image) {
      for (int64_t n0 = 0; n0 < group.N; n0 += gram.chunk) {
        const int64_t blocks = divide_up(smaller(gram.chunk, group.N - n0), kBlockK);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < (sp + op) * blocks; ++task) {
          pack_channels(group, gram, difference, image, task / blocks, n0, task % blocks);
        }
        // Dynamic: half of the blocks of a symmetric product are empty. Every block has one writer,
        // whoever it is.
        for (const Product<T>& product : products) {
          const int64_t rows = group_rows<T>(product, group.threads);
          const int64_t groups = divide_up(product.rows, rows);
#pragma omp for schedule(dynamic) nowait
          for (int64_t task = 0; task < groups * product.panels; ++task) {
            add_block(gram, product, blocks, task / product.panels * rows, rows,
                      task % product.panels);
          }
        }
#pragma omp barrier
      }
    }
    mirror(gram.ss, gram.Cs);
    mirror(gram.oo, gram.Co);
  }
}

// The sums over one panel of a matrix, whose padding is zero.
template <class T>
inline double sum_of_squares(const SumMatrix<T>& matrix, int64_t panel) {
  const double* values = matrix.panel(panel);
  Vector<double> sums = {};
  for (int64_t i = 0; i < matrix.rows * matrix.P; i += kLanes<double>) {
    const Vector<double> v = load(values + i);
    sums += v * v;
  }
  return sum_of_lanes<double>(sums);
}

template <class T>
inline PairSums difference_sums(const Gram<T>& gram, int64_t panel) {
  double terms = 0.0, turned = 0.0;
  const int64_t first = panel * gram.P, end = smaller(first + gram.P, gram.Cs);
  for (int64_t i = 0; i < gram.Cs; ++i) {
    for (int64_t j = first; j < end; ++j) {
      const double ss = gram.ss.at(i, j), dd = gram.oo.at(i, j);
      const double ds = gram.os.at(i, j), sd = gram.os.at(j, i);
      terms += (4.0 * ss - 2.0 * ds - 2.0 * sd + dd) * dd;
      turned += (2.0 * sd - dd) * (2.0 * ds - dd);
    }
  }
  return {0.5 * (terms + turned), 0.0, 0.5 * terms};
}

// The sums over pairs, panel by panel of columns, added in their order.
template <class T>
inline PairSums pair_sums(const NodeGroup& group, const Gram<T>& gram, bool difference) {
  const int64_t count = larger(gram.student_panels, gram.other_panels);
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t p = 0; p < count; ++p) {
    PairSums sums = {};
    if (p < gram.student_panels) {
      if (difference) sums = difference_sums(gram, p);
      sums.student = sum_of_squares(gram.ss, p);
      if (!difference) sums.gaps = sums.student - 2.0 * sum_of_squares(gram.os, p);
    }
    if (p < gram.other_panels && !difference) sums.gaps += sum_of_squares(gram.oo, p);
    gram.panel_sums[p] = sums;
  }
  PairSums sums = {};
  for (int64_t p = 0; p < count; ++p) {
    sums.gaps += gram.panel_sums[p].gaps;
    sums.student += gram.panel_sums[p].student;
    sums.terms += gram.panel_sums[p].terms;
  }
  if (sums.gaps < 0.0) sums.gaps = 0.0;  // rounding of the norms; a NaN stays
  return sums;
}

// The matrix that takes [s; o] of a node to its gradient.
template <class T>
inline void set_coefficients(const NodeGroup& group, const Gram<T>& gram, bool difference) {
  constexpr int64_t R = kRows<T>;
  const RowBlocks<T>& out = gram.coefficients;
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t c0 = 0; c0 < out.count; c0 += R) {
    for (int64_t k = 0; k < gram.Cs + gram.Co; ++k) {
      const bool student = k < gram.Cs;
      const int64_t o = k - gram.Cs;
      for (int64_t c = c0; c < c0 + R; ++c) {
        double coefficient = 0.0;
        if (c < gram.Cs) {
          coefficient = difference
                            ? (student ? gram.os.at(k, c) : gram.ss.at(o, c) - gram.os.at(o, c))
                            : (student ? gram.ss.at(k, c) : -gram.os.at(o, c));
        }
        out.at(c, k) = T(coefficient);
      }
    }
  }
}

// Third pass: grad = factor * chain rule of [s; o] times the coefficients, a few panels at a time.
template <class T>
inline void write_grad(const NodeGroup& group,
                       const Gram<T>& gram,
                       bool difference,
                       double factor) {
  constexpr int64_t P = kColumns<T>;
  constexpr int64_t kStep = kGradPanels * P;
  static_assert(kStep <= kStrip, "a row of one step must fit the row buffers");
  const int64_t K = gram.Cs + gram.Co, steps = divide_up(group.N, kStep);
  set_coefficients(group, gram, difference);
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t task = 0; task < group.images * steps; ++task) {
    T* nodes = gram.nodes + omp_get_thread_num() * gram.node_elements();
    T* grads = gram.grads + omp_get_thread_num() * gram.grad_elements();
    const int64_t image = task / steps, n0 = task % steps * kStep;
    const int64_t count = smaller(kStep, group.N - n0), step_panels = divide_up(count, P);
    for (int64_t k = 0; k < K; ++k) {
      T row[kStep] = {};
      if (k < gram.Cs) {
        load_student(group, image, k, n0, count, row);
      } else {
        load_other(group, difference, image, k - gram.Cs, n0, count, row);
      }
      for (int64_t p = 0; p < step_panels; ++p) {
        memcpy(nodes + (p * K + k) * P, row + p * P, P * sizeof(T));
      }
    }
    const int64_t rows = gram.coefficients.count;
    for (int64_t c = 0; c < rows; c += kPassRows<T>) {
      multiply_pass(K, gram.coefficients, c, smaller(kPassRows<T>, rows - c), nodes, K * P,
                    step_panels, grads + c * P, rows * P);
    }
    write_grad_nodes<T>(group, image, n0, count, {nodes, K * P}, {grads, rows * P}, factor);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_GRAM_H
