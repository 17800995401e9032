// cpu/pairwise_tile.h: the pair-wise sum pair by pair, for maps with few nodes per channel.
//
// With unit vectors as rows of S and T, and D = S - T, V = (S + T) / 2:
//   gap_ij = s_i s_j - t_i t_j           or, where student and teacher are close,
//          = d_i v_j + v_i d_j           which subtracts nothing that is large
//   dS_i   ~ sum_j gap_ij s_j
// The gaps are symmetric: each tile of them is computed once and kept in both places, N^2 numbers
// at sizes where N is below a few times C. Products in T, f32 for inputs up to f32: no large norms
// cancel here, so it rounds like a composition in f32 (docs/methods/pairwise.md).
#ifndef STRUCTKD_CPU_PAIRWISE_TILE_H
#define STRUCTKD_CPU_PAIRWISE_TILE_H

#include <omp.h>

#include "core/workspace.h"
#include "cpu/pairwise_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
struct PairTiles {
  static constexpr int64_t P = kPanel<T>;

  int64_t Cs, Ct;
  bool close;            // nodes are [V | D], else [S | T]
  int64_t image_panels;  // panels of nodes per image; the last one is filled up with zero nodes
  int64_t node_panels;   // of the group
  int64_t channel_panels;
  T* nodes;        // [node_panels, Cs + Ct, P]: reduction over channels
  T* channels;     // S as [channel_panels, node_panels * P, P]: reduction over nodes
  T* gaps;         // [node_panels, node_panels * P, P]
  PairSums* sums;  // per node panel, added in panel order
  T* students;     // per thread [Cs, P]
  T* grads;        // per thread [channel_panels * P, P]

  PairTiles(const PairwiseArgs& args,
            bool nearly_equal,
            int64_t N,
            int64_t images,
            int threads,
            Workspace& workspace)
      : Cs(args.student.C),
        Ct(args.teacher.C),
        close(nearly_equal),
        image_panels(divide_up(N, P)),
        node_panels(images * image_panels),
        channel_panels(divide_up(Cs, P)) {
    const int64_t with_grad = args.want_grad ? 1 : 0;
    nodes = workspace.take<T>(node_panels * (Cs + Ct) * P);
    sums = workspace.take<PairSums>(node_panels);
    channels = workspace.take<T>(with_grad * channel_panels * node_panels * P * P);
    gaps = workspace.take<T>(with_grad * node_panels * node_panels * P * P);
    students = workspace.take<T>(with_grad * threads * Cs * P);
    grads = workspace.take<T>(with_grad * threads * channel_panels * P * P);
  }

  const T* panel(int64_t i) const { return nodes + i * (Cs + Ct) * P; }
};

// A panel's student vectors, [Cs, P].
template <class T>
inline const T* student_vectors(const PairTiles<T>& tiles, int64_t panel, T* buffer) {
  constexpr int64_t P = PairTiles<T>::P;
  const T* packed = tiles.panel(panel);
  if (!tiles.close) return packed;
  const T* differences = packed + tiles.Cs * P;
  for (int64_t e = 0; e < tiles.Cs * P; ++e) buffer[e] = packed[e] + T(0.5) * differences[e];
  return buffer;
}

template <class T>
inline void pack_nodes(const NodeGroup& group, const PairTiles<T>& tiles, int64_t panel) {
  constexpr int64_t P = PairTiles<T>::P;
  const int64_t image = panel / tiles.image_panels, n0 = panel % tiles.image_panels * P;
  const int64_t count = smaller(P, group.N - n0);
  T* s_rows = tiles.nodes + panel * (tiles.Cs + tiles.Ct) * P;
  T* t_rows = s_rows + tiles.Cs * P;
  for (int64_t c = 0; c < larger(tiles.Cs, tiles.Ct); ++c) {
    double s[P] = {}, t[P] = {};
    if (c < tiles.Cs) load_student(group, image, c, n0, count, s);
    if (c < tiles.Ct) load_teacher(group, image, c, n0, count, t);
    if (tiles.close) {
      for (int64_t i = 0; i < P; ++i) {
        s_rows[c * P + i] = T(0.5 * (s[i] + t[i]));
        t_rows[c * P + i] = T(s[i] - t[i]);
      }
      continue;
    }
    for (int64_t i = 0; c < tiles.Cs && i < P; ++i) s_rows[c * P + i] = T(s[i]);
    for (int64_t i = 0; c < tiles.Ct && i < P; ++i) t_rows[c * P + i] = T(t[i]);
  }
  if (!group.args.want_grad) return;
  T* buffer = tiles.students + omp_get_thread_num() * tiles.Cs * P;
  const T* students = student_vectors(tiles, panel, buffer);
  for (int64_t c = 0; c < tiles.channel_panels; ++c) {
    T* out = tiles.channels + (c * tiles.node_panels + panel) * P * P;
    pack_panel(students + c * P * P, P, smaller(P, tiles.Cs - c * P), P, out);
  }
}

// tile[r, c] = gap of node r of panel j and node c of panel i; returns its sums.
template <class T>
inline PairSums gap_tile(const PairTiles<T>& tiles, int64_t j, int64_t i, T* tile) {
  constexpr int64_t P = PairTiles<T>::P;
  const T *rows = tiles.panel(j), *columns = tiles.panel(i);
  const T *rows_t = rows + tiles.Cs * P, *columns_t = columns + tiles.Cs * P;
  T second[P * P] = {};
  for (int64_t e = 0; e < P * P; ++e) tile[e] = T(0);
  blocked_panel_product(tiles.Cs, rows, tiles.close ? columns_t : columns, tile);
  blocked_panel_product(tiles.Ct, rows_t, tiles.close ? columns : columns_t, second);
  PairSums sums = {0.0, 0.0};
  for (int64_t r = 0; r < P; ++r) {
    T row_gaps = T(0), row_students = T(0);  // few terms of one sign: no bits to lose
    for (int64_t c = 0; c < P; ++c) {
      const T student = tile[r * P + c], other = second[r * P + c];
      const T gap = tiles.close ? student + other : student - other;
      tile[r * P + c] = gap;
      row_gaps += gap * gap;
      row_students += student * student;
    }
    sums.gaps += double(row_gaps);
    sums.student += double(row_students);
  }
  return sums;
}

// The gaps of panel i to the panels from i on, and their sums; tiles off the diagonal count twice.
template <class T>
inline PairSums panel_gaps(const PairTiles<T>& tiles, int64_t i, bool keep) {
  constexpr int64_t P = PairTiles<T>::P;
  PairSums sums = {0.0, 0.0};
  for (int64_t j = i; j < tiles.node_panels; ++j) {
    T tile[P * P];
    const PairSums part = gap_tile(tiles, j, i, tile);
    const double times = j == i ? 1.0 : 2.0;
    sums.gaps += times * part.gaps;
    sums.student += times * part.student;
    if (!keep) continue;
    memcpy(tiles.gaps + (i * tiles.node_panels + j) * P * P, tile, sizeof(tile));
    if (j > i) pack_panel(tile, P, P, P, tiles.gaps + (j * tiles.node_panels + i) * P * P);
  }
  return sums;
}

template <class T>
inline void write_panel_grad(const NodeGroup& group,
                             const PairTiles<T>& tiles,
                             int64_t panel,
                             double factor) {
  constexpr int64_t P = PairTiles<T>::P;
  const int64_t nodes = tiles.node_panels * P;
  T* grads = tiles.grads + omp_get_thread_num() * tiles.channel_panels * P * P;
  memset(grads, 0, size_t(tiles.channel_panels * P * P) * sizeof(T));
  for (int64_t c = 0; c < tiles.channel_panels; ++c) {
    blocked_panel_product(nodes, tiles.channels + c * nodes * P, tiles.gaps + panel * nodes * P,
                          grads + c * P * P);
  }
  T* buffer = tiles.students + omp_get_thread_num() * tiles.Cs * P;
  const int64_t image = panel / tiles.image_panels, n0 = panel % tiles.image_panels * P;
  write_grad_panel(group, image, n0, smaller(P, group.N - n0),
                   student_vectors(tiles, panel, buffer), grads, factor);
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
      tiles.sums[panel] = panel_gaps(tiles, panel, want_grad);
    }
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < (want_grad ? tiles.node_panels : 0); ++panel) {
      write_panel_grad(group, tiles, panel, factor);
    }
  }
  PairSums sums = {0.0, 0.0};
  for (int64_t panel = 0; panel < tiles.node_panels; ++panel) {
    sums.gaps += tiles.sums[panel].gaps;
    sums.student += tiles.sums[panel].student;
  }
  return sums;
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_TILE_H
