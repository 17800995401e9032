// cpu/cross_image_relation/relation.h: the memory of a call: what is known of all nodes of the
// batch, and what is packed of them at a time.
//
// Nodes lie in panels of kColumns; the last panel of an image is filled up with zero nodes. Owners
// are up to kOwnerNodes of them, whose rows are computed against the whole batch before the next
// owners are. The others pass by in chunks of kChunkNodes, packed once for all owners.
#ifndef STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H
#define STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H

#include <omp.h>

#include "core/cross_image_relation_args.h"
#include "core/workspace.h"
#include "cpu/common/panel_rows.h"
#include "cpu/common/unit_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// As many as make the packing of a chunk cheap: it is used 4,096 times.
constexpr int64_t kOwnerNodes = 4096;

// A whole number of passes of rows at every level (96, 48 and 32); with 128 channels in both nets a
// chunk of f32 takes 0.9 MB, the second-level cache.
constexpr int64_t kChunkNodes = 576;

// Owners' panels of one task, where there are enough: they share the rows that come from far.
constexpr int64_t kTaskPanels = 4;

template <class T>
struct Relation {
  static constexpr int64_t P = kColumns<T>;
  static_assert(kChunkNodes % kPassRows<T> == 0 && kPassRows<T> % P == 0,
                "chunks are whole passes, passes whole panels");

  const CrossImageRelationArgs& args;
  int threads;
  int64_t B, N, Cs, Ct;
  int64_t image_panels, panels;  // per image, of the batch
  int64_t owner_panels;          // at a time
  int64_t Ks, Kt;                // Cs and Ct, padded for transpositions

  // Of all nodes.
  double *student_scale, *teacher_scale;  // [B, N]: 1 / length; 0 of a zero node
  // [B, B N]: of each image and each node i of the batch, 1 / sum over the image's nodes j of
  // e^((cosine_ij - 1) / temperature)
  T *student_share, *teacher_share;
  double* divergence;  // per panel: of its rows, over all images

  // Of the owners at a time.
  T* columns;     // [owner_panels, Ks + Kt, P]
  double* sums;   // [owner_panels, kSums, P]
  double* grads;  // [owner_panels, padded Cs, P]: by the unit vectors, without the loss's factor

  // Of a chunk.
  RowBlocks<T> student_rows, teacher_rows;  // nodes over Cs and over Ct
  RowBlocks<T> channels;  // of S over nodes; a block holds those of a pass, not kBlockK

  T* panel_buffers;  // per thread [larger(Ks, Kt), P]
  T* tiles;          // per thread [2, kTaskPanels, kPassRows, P]

  Relation(const CrossImageRelationArgs& checked, int thread_count, Workspace& workspace)
      : args(checked),
        threads(thread_count),
        B(args.student.B),
        N(args.student.H * args.student.W),
        Cs(args.student.C),
        Ct(args.teacher.C),
        image_panels(divide_up(N, P)),
        panels(B * image_panels),
        owner_panels(smaller(panels, kOwnerNodes / P)),
        Ks(round_up(Cs, kLanes<T>)),
        Kt(round_up(Ct, kLanes<T>)) {
    const int64_t with_grad = args.want_grad ? 1 : 0;
    student_scale = workspace.take<double>(B * N);
    teacher_scale = workspace.take<double>(B * N);
    student_share = workspace.take<T>(B * B * N);
    teacher_share = workspace.take<T>(B * B * N);
    divergence = workspace.take<double>(panels);
    columns = workspace.take<T>(owner_panels * (Ks + Kt) * P);
    sums = workspace.take<double>(owner_panels * kSums * P);
    channels.count = RowBlocks<T>::padded(Cs);
    grads = workspace.take<double>(with_grad * owner_panels * channels.count * P);
    const int64_t chunk = smaller(kChunkNodes, round_up(image_panels * P, kPassRows<T>));
    student_rows.count = teacher_rows.count = chunk;
    student_rows.data = workspace.take<T>(RowBlocks<T>::elements(chunk, Cs));
    teacher_rows.data = workspace.take<T>(RowBlocks<T>::elements(chunk, Ct));
    channels.data = workspace.take<T>(with_grad * chunk / kPassRows<T> * channels.count * kBlockK);
    panel_buffers = workspace.take<T>(threads * larger(Ks, Kt) * P);
    tiles = workspace.take<T>(threads * tile_elements());
  }

  // What is summed for each owner over the nodes of an image: exponentials of both nets, and the
  // terms of the divergence (pairs.h).
  static constexpr int64_t kSums = 4;

  static int64_t tile_elements() { return 2 * kTaskPanels * kPassRows<T> * P; }

  T* owner_columns(int64_t owner) const { return columns + owner * (Ks + Kt) * P; }
  double* owner_sums(int64_t owner) const { return sums + owner * kSums * P; }
  double* owner_grads(int64_t owner) const { return grads + owner * channels.count * P; }
  T* thread_panel() const { return panel_buffers + omp_get_thread_num() * larger(Ks, Kt) * P; }
  T* thread_tiles() const { return tiles + omp_get_thread_num() * tile_elements(); }
  int64_t image_of(int64_t panel) const { return panel / image_panels; }
  int64_t first_node(int64_t panel) const { return panel % image_panels * P; }
  int64_t node_count(int64_t panel) const { return smaller(P, N - first_node(panel)); }
  // Of a node among all of the batch, and of its share against an image.
  int64_t node_index(int64_t image, int64_t n) const { return image * N + n; }
  int64_t share_index(int64_t image, int64_t node) const { return image * B * N + node; }
};

// scale[i] of `count` nodes from n0 of image b on, at most kStrip.
inline void measure_strip(
    const Map& map, double eps, int64_t b, int64_t n0, int64_t count, double* scale) {
  double squares[kStrip] = {}, row[kStrip];
  for (int64_t c = 0; c < map.C; ++c) {
    load_row(map, b, c, n0, count, row);
    for (int64_t i = 0; i < count; ++i) squares[i] += row[i] * row[i];
  }
  for (int64_t i = 0; i < count; ++i) {
    const double length = node_length(squares[i]);
    scale[i] = length <= eps ? 0.0 : 1.0 / length;
  }
}

template <class T>
inline void measure_nodes(const Relation<T>& relation) {
  const int64_t strips = strips_per_image(relation.N);
  const double eps = relation.args.eps;
#pragma omp parallel for num_threads(relation.threads) schedule(static)
  for (int64_t task = 0; task < relation.B * strips; ++task) {
    const int64_t b = task / strips, n0 = task % strips * kStrip;
    const int64_t node = relation.node_index(b, n0);
    const int64_t count = smaller(kStrip, relation.N - n0);
    measure_strip(relation.args.student, eps, b, n0, count, relation.student_scale + node);
    measure_strip(relation.args.teacher, eps, b, n0, count, relation.teacher_scale + node);
  }
}

// The unit vectors of a panel, [K, P]; nodes past the image and channels past the last are 0.
template <class T>
inline void pack_panel(const Relation<T>& relation,
                       const Map& map,
                       const double* scale,
                       int64_t panel,
                       int64_t K,
                       T* columns) {
  constexpr int64_t P = Relation<T>::P;
  const int64_t b = relation.image_of(panel), n0 = relation.first_node(panel);
  const int64_t count = relation.node_count(panel);
  memset(columns, 0, size_t(K * P) * sizeof(T));
  for (int64_t c = 0; c < map.C; ++c) {
    load_scaled(map, scale + relation.node_index(b, n0), b, c, n0, count, columns + c * P);
  }
}

// Packs panel `p` of a chunk that begins with the panel `first` of the batch.
template <class T>
inline void pack_chunk_panel(
    const Relation<T>& relation, int64_t first, int64_t p, bool last, bool with_channels) {
  constexpr int64_t P = Relation<T>::P, kPassPanels = kPassRows<T> / P;
  T* columns = relation.thread_panel();
  pack_panel(relation, relation.args.teacher, relation.teacher_scale, first + p, relation.Kt,
             columns);
  panel_to_rows(p, last, relation.Kt, columns, relation.teacher_rows);
  pack_panel(relation, relation.args.student, relation.student_scale, first + p, relation.Ks,
             columns);
  panel_to_rows(p, last, relation.Ks, columns, relation.student_rows);
  if (!with_channels) return;
  const RowBlocks<T>& channels = relation.channels;
  for (int64_t c = 0; c < channels.count; ++c) {
    T* row = channels.row(c, p / kPassPanels) + p % kPassPanels * P;
    if (c < relation.Cs) {
      memcpy(row, columns + c * P, P * sizeof(T));
    } else {
      memset(row, 0, P * sizeof(T));
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H
