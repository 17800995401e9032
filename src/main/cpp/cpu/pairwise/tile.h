// cpu/pairwise/tile.h: the pair-wise sum pair by pair, for maps with few nodes per channel.
//
// With unit vectors as rows of S and T, and D = S - T, V = (S + T) / 2:
//   gap_ij = s_i s_j - t_i t_j           or, where student and teacher are close,
//          = d_i v_j + v_i d_j           which subtracts nothing that is large
//   dS_i   ~ sum_j gap_ij s_j
// The gaps are symmetric: each tile of them is computed once and kept in both places, N^2 numbers
// at sizes where N is below a few times C. Or a thread makes all gaps of a panel of nodes and uses
// them at once: half as many products more, O(N C) memory at any size. Products in T, f32 for
// inputs up to f32: no large norms cancel here, so it rounds like a composition in f32
// (docs/methods/pairwise.md). Where absolute values are compared, signs take the place of the gaps
// in the gradient (gaps.h).
#ifndef STRUCTKD_CPU_PAIRWISE_TILE_H
#define STRUCTKD_CPU_PAIRWISE_TILE_H

#include <omp.h>

#include "core/workspace.h"
#include "cpu/common/lane_sums.h"
#include "cpu/common/panel_rows.h"
#include "cpu/pairwise/gaps.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
struct PairTiles {
  static constexpr int64_t P = kColumns<T>, R = kRows<T>;

  int64_t Cs, Ct;
  bool close;            // nodes are [V | D], else [S | T]
  bool streamed;         // gaps are used at once, else kept
  int64_t image_panels;  // panels of nodes per image; the last one is filled up with zero nodes
  int64_t node_panels;   // of the group
  int64_t nodes;         // node_panels * P
  int64_t Ks, Kt;        // Cs and Ct, padded for transpositions
  RowBlocks<T> first_rows, second_rows;  // nodes over Cs and over Ct
  T* columns;                            // [node_panels, Ks + Kt, P]
  RowBlocks<T> channels;                 // of S, over nodes
  T* gaps;                               // [node_panels or threads, nodes, P]
  SignScratch<T> signs;                  // for absolute values
  PairSums* sums;                        // per node panel, added in panel order
  T* products;                           // per thread [2, kPassRows, P]
  T* students;                           // per thread [Cs, P]
  T* grads;                              // per thread [padded Cs, P]

  PairTiles(const PairwiseArgs& args,
            bool nearly_equal,
            bool used_at_once,
            int64_t N,
            int64_t images,
            int threads,
            Workspace& workspace)
      : Cs(args.student.C),
        Ct(args.teacher.C),
        close(nearly_equal),
        streamed(used_at_once),
        image_panels(divide_up(N, P)),
        node_panels(images * image_panels),
        nodes(node_panels * P),
        Ks(round_up(Cs, kLanes<T>)),
        Kt(round_up(Ct, kLanes<T>)),
        signs(args, nodes, threads, workspace) {
    const int64_t with_grad = args.want_grad ? 1 : 0;
    first_rows.count = second_rows.count = RowBlocks<T>::padded(nodes);
    first_rows.data = workspace.take<T>(RowBlocks<T>::elements(nodes, Cs));
    second_rows.data = workspace.take<T>(RowBlocks<T>::elements(nodes, Ct));
    columns = workspace.take<T>(node_panels * (Ks + Kt) * P);
    sums = workspace.take<PairSums>(node_panels);
    products = workspace.take<T>(threads * 2 * kPassRows<T> * P);
    channels.count = RowBlocks<T>::padded(Cs);
    channels.data = workspace.take<T>(with_grad * RowBlocks<T>::elements(Cs, nodes));
    gaps = workspace.take<T>(with_grad * (streamed ? threads : node_panels) * nodes * P);
    students = workspace.take<T>(with_grad * threads * Cs * P);
    grads = workspace.take<T>(with_grad * threads * channels.count * P);
  }

  T* first_columns(int64_t panel) const { return columns + panel * (Ks + Kt) * P; }
  T* thread_products() const { return products + omp_get_thread_num() * 2 * kPassRows<T> * P; }
  T* second_columns(int64_t panel) const { return first_columns(panel) + Ks * P; }
  T* panel_gaps(int64_t panel) const {
    return gaps + (streamed ? omp_get_thread_num() : panel) * nodes * P;
  }
};

// A panel's student vectors, [Cs, P].
template <class T>
inline const T* student_vectors(const PairTiles<T>& tiles, int64_t panel, T* buffer) {
  const T* first = tiles.first_columns(panel);
  if (!tiles.close) return first;
  const T* differences = tiles.second_columns(panel);
  for (int64_t e = 0; e < tiles.Cs * tiles.P; ++e) buffer[e] = first[e] + T(0.5) * differences[e];
  return buffer;
}

template <class T>
inline void pack_nodes(const NodeGroup& group, const PairTiles<T>& tiles, int64_t panel) {
  constexpr int64_t P = PairTiles<T>::P;
  const NodePanelsOf<T> panels{group, tiles.image_panels};
  const int64_t image = panels.image(panel), n0 = panels.first(panel), count = panels.count(panel);
  double squares[P] = {}, distances[P];
  T *first = tiles.first_columns(panel), *second = tiles.second_columns(panel);
  for (int64_t c = 0; c < larger(tiles.Ks, tiles.Kt); ++c) {
    double s[P] = {}, t[P] = {};
    if (c < tiles.Cs) load_student(group, image, c, n0, count, s);
    if (c < tiles.Ct) load_teacher(group, image, c, n0, count, t);
    if (tiles.close) {
      for (int64_t i = 0; i < P; ++i) {
        first[c * P + i] = T(0.5 * (s[i] + t[i]));
        second[c * P + i] = T(s[i] - t[i]);
        squares[i] += (s[i] - t[i]) * (s[i] - t[i]);
      }
      continue;
    }
    for (int64_t i = 0; c < tiles.Ks && i < P; ++i) first[c * P + i] = T(s[i]);
    for (int64_t i = 0; c < tiles.Kt && i < P; ++i) second[c * P + i] = T(t[i]);
  }
  if (group.args.compare == STRUCTKD_COMPARE_L1) {
    for (int64_t i = 0; i < P; ++i) distances[i] = sqrt(squares[i]);
    tiles.signs.set(panels, panel, tiles.close, distances);
  }
  const bool last = panel + 1 == tiles.node_panels;
  panel_to_rows(panel, last, tiles.Ks, first, tiles.first_rows);
  panel_to_rows(panel, last, tiles.Kt, second, tiles.second_rows);
  if (!group.args.want_grad) return;
  T* buffer = tiles.students + omp_get_thread_num() * tiles.Cs * P;
  panel_to_channels(panel, tiles.Cs, student_vectors(tiles, panel, buffer), tiles.channels);
}

// The gaps of panel i to the nodes from its own on, and their sums; pairs of two panels count
// twice. Streamed: those to all nodes, once.
template <class T, class Gaps>
inline PairSums panel_gaps(const PairTiles<T>& tiles, int64_t i, bool keep, Gaps made_of) {
  constexpr int64_t P = PairTiles<T>::P, R = PairTiles<T>::R;
  const T *first = tiles.first_columns(i), *second = tiles.second_columns(i);
  const int64_t own = i * P, begin = tiles.streamed ? 0 : own;
  const int64_t others = tiles.streamed ? tiles.nodes : own + P;  // from here on they count twice
  PairSums sums = {};
  T *a = tiles.thread_products(), *b = a + kPassRows<T> * P;
  for (int64_t row = begin / R * R; row < tiles.nodes; row += kPassRows<T>) {
    const int64_t rows = smaller(kPassRows<T>, tiles.nodes - row);
    multiply_pass(tiles.Cs, tiles.first_rows, row, rows, tiles.close ? second : first, 0, 1, a, 0);
    multiply_pass(tiles.Ct, tiles.second_rows, row, rows, tiles.close ? first : second, 0, 1, b, 0);
    // Summands have one sign, and a lane at most 2 kPassRows: no bits are lost. [0] counts once.
    LaneSums<T> lanes[2] = {};
    for (int64_t j = larger(row, begin); j < row + rows; ++j) {
      T gaps[P];
      made_of.row(j, tiles.close, a + (j - row) * P, b + (j - row) * P, lanes[j >= others], gaps);
      if (!keep) continue;
      memcpy(tiles.panel_gaps(i) + j * P, gaps, sizeof(gaps));
      if (j < others) continue;
      T* mirrored = tiles.gaps + (j / P * tiles.nodes + own) * P + j % P;
      for (int64_t c = 0; c < P; ++c) mirrored[c * P] = gaps[c];
    }
    sums.gaps +=
        double(sum_of_lanes<T>(lanes[0].gaps)) + 2.0 * double(sum_of_lanes<T>(lanes[1].gaps));
    sums.student +=
        double(sum_of_lanes<T>(lanes[0].student)) + 2.0 * double(sum_of_lanes<T>(lanes[1].student));
  }
  return sums;
}

template <class T>
inline PairSums panel_gaps(const NodeGroup& group,
                           const PairTiles<T>& tiles,
                           int64_t i,
                           bool keep) {
  if (group.args.compare == STRUCTKD_COMPARE_SQUARED) {
    return panel_gaps(tiles, i, keep, SquaredGaps<T>{});
  }
  const NodePanelsOf<T> panels{group, tiles.image_panels};
  return panel_gaps(tiles, i, keep, SignedGaps<T>(panels, tiles.signs, i, omp_get_thread_num()));
}

template <class T>
inline void write_panel_grad(const NodeGroup& group,
                             const PairTiles<T>& tiles,
                             int64_t panel,
                             double factor) {
  constexpr int64_t P = PairTiles<T>::P;
  const int64_t channels = tiles.channels.count;
  T* grads = tiles.grads + omp_get_thread_num() * channels * P;
  for (int64_t c = 0; c < channels; c += kPassRows<T>) {
    multiply_pass(tiles.nodes, tiles.channels, c, smaller(kPassRows<T>, channels - c),
                  tiles.panel_gaps(panel), 0, 1, grads + c * P, 0);
  }
  T* buffer = tiles.students + omp_get_thread_num() * tiles.Cs * P;
  const int64_t image = panel / tiles.image_panels, n0 = panel % tiles.image_panels * P;
  write_grad_nodes<T>(group, image, n0, smaller(P, group.N - n0),
                      {student_vectors(tiles, panel, buffer), 0}, {grads, 0}, factor);
}

// Both passes of the tile form; the gradient is written if wanted.
template <class T>
inline PairSums pair_by_pair(const NodeGroup& group, const PairTiles<T>& tiles, double factor) {
  const bool want_grad = group.args.grad.data != nullptr;
#pragma omp parallel num_threads(group.threads)
  {
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < tiles.node_panels; ++panel) pack_nodes(group, tiles, panel);
    // Dynamic: rows of the triangle differ in length. Every tile has one writer, whoever it is.
#pragma omp for schedule(dynamic)
    for (int64_t panel = 0; panel < tiles.node_panels; ++panel) {
      tiles.sums[panel] = panel_gaps(group, tiles, panel, want_grad);
      if (want_grad && tiles.streamed) write_panel_grad(group, tiles, panel, factor);
    }
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < (want_grad && !tiles.streamed ? tiles.node_panels : 0);
         ++panel) {
      write_panel_grad(group, tiles, panel, factor);
    }
  }
  PairSums sums = {};
  for (int64_t panel = 0; panel < tiles.node_panels; ++panel) {
    sums.gaps += tiles.sums[panel].gaps;
    sums.student += tiles.sums[panel].student;
  }
  return sums;
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_TILE_H
