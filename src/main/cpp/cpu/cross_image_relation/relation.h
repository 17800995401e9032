// cpu/cross_image_relation/relation.h: the memory of a call: what is known of all nodes of the
// batch, and what is packed of them at a time.
//
// Nodes lie in blocks of kBlockNodes, which lie in panels of kColumns; the last block of an image
// has fewer. A group is as many blocks as fit into kGroupBytes: they are packed at once and
// compared with each other, each pair of them once for both. Blocks of other groups pass by in
// chunks, and only the group gains from them.
#ifndef STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H
#define STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H

#include <omp.h>

#include "core/cross_image_relation_args.h"
#include "core/workspace.h"
#include "cpu/common/panel_rows.h"
#include "cpu/common/unit_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A whole number of panels and of micro-kernels at every level.
constexpr int64_t kBlockNodes = 96;

// What a call may take for a group beside its other scratch: with 128 channels in both nets 9,000
// nodes, so that most batches are one group. The whole call then stays below 50 MB for 8 images of
// 8,192 nodes.
constexpr double kGroupBytes = 32 << 20;

// Blocks of a chunk: with 128 channels in both nets 0.9 MB, the second-level cache.
constexpr int64_t kChunkBlocks = 6;

// Blocks of nodes that a product takes as its rows.
template <class T>
struct PackedRows {
  RowBlocks<T> student, teacher;  // nodes over Cs and over Ct
  RowBlocks<T> channels;          // of S over nodes; a block holds kBlockNodes, not kBlockK
};

template <class T>
struct Relation {
  static constexpr int64_t P = kColumns<T>, kPanels = kBlockNodes / P;
  static_assert(kBlockNodes % P == 0 && kBlockNodes % kRows<T> == 0 && kBlockNodes <= kBlockK,
                "blocks are whole panels and whole micro-kernels");

  // What is summed for each node over the nodes of an image: exponentials of both nets, and the
  // terms of the divergence (pairs.h).
  static constexpr int64_t kSums = 4;

  const CrossImageRelationArgs& args;
  int threads;
  int64_t B, N, Cs, Ct;
  int64_t image_blocks, blocks;  // per image, of the batch
  int64_t group_blocks;          // at a time
  int64_t Ks, Kt;                // Cs and Ct, padded for transpositions
  int64_t padded_channels;       // Cs, padded for micro-kernels

  // Of all nodes.
  double *student_scale, *teacher_scale;  // [B, N]: 1 / length; 0 of a zero node
  // [B, B N]: of each image and each node i of the batch, 1 / sum over the image's nodes j of
  // e^((cosine_ij - 1) / temperature)
  T *student_share, *teacher_share;
  double* divergence;  // per block: of its rows, over all images

  // Of a group; a slot is a block's place in it.
  T* columns;             // [group_blocks, kPanels, Ks + Kt, P]
  PackedRows<T> rows;     // of its blocks
  double* sums;           // [group_blocks, B, kSums, kBlockNodes]
  double* grads;          // [group_blocks, kPanels, padded Cs, P]: by the unit vectors, without the
                          // loss's factor
  PackedRows<T> passing;  // of a chunk

  T* panel_buffers;  // per thread [larger(Ks, Kt), P]
  T* tiles;          // per thread [2, kPanels, kBlockNodes, P]

  Relation(const CrossImageRelationArgs& checked, int thread_count, Workspace& workspace)
      : args(checked),
        threads(thread_count),
        B(args.student.B),
        N(args.student.H * args.student.W),
        Cs(args.student.C),
        Ct(args.teacher.C),
        image_blocks(divide_up(N, kBlockNodes)),
        blocks(B * image_blocks),
        Ks(round_up(Cs, kLanes<T>)),
        Kt(round_up(Ct, kLanes<T>)),
        padded_channels(RowBlocks<T>::padded(Cs)) {
    group_blocks = divide_up(blocks, divide_up(blocks, most_blocks_of_group()));
    const int64_t with_grad = args.want_grad ? 1 : 0;
    student_scale = workspace.take<double>(B * N);
    teacher_scale = workspace.take<double>(B * N);
    student_share = workspace.take<T>(B * B * N);
    teacher_share = workspace.take<T>(B * B * N);
    divergence = workspace.take<double>(blocks);
    columns = workspace.take<T>(group_blocks * (Ks + Kt) * kBlockNodes);
    rows = take_rows(group_blocks, workspace);
    sums = workspace.take<double>(group_blocks * B * kSums * kBlockNodes);
    grads = workspace.take<double>(with_grad * group_blocks * padded_channels * kBlockNodes);
    passing = take_rows(group_blocks < blocks ? kChunkBlocks : 0, workspace);
    panel_buffers = workspace.take<T>(threads * larger(Ks, Kt) * P);
    tiles = workspace.take<T>(threads * 2 * kTile * kPanels);
  }

  static constexpr int64_t kTile = kBlockNodes * P;  // elements of one panel's tile

  int64_t most_blocks_of_group() const {
    const double channels = double(round_up(Cs, kBlockK) + round_up(Ct, kBlockK) + Ks + Kt);
    const double per_block =
        double(kBlockNodes) * (sizeof(T) * channels + sizeof(double) * double(B * kSums)) +
        double(padded_channels) * double(kBlockK * sizeof(T) + kBlockNodes * sizeof(double));
    return larger(int64_t(kGroupBytes / per_block), int64_t(1));
  }

  PackedRows<T> take_rows(int64_t count, Workspace& workspace) const {
    const int64_t nodes = count * kBlockNodes;
    PackedRows<T> packed;
    packed.student = {nodes, workspace.take<T>(RowBlocks<T>::elements(nodes, Cs))};
    packed.teacher = {nodes, workspace.take<T>(RowBlocks<T>::elements(nodes, Ct))};
    packed.channels = {padded_channels,
                       workspace.take<T>(args.want_grad ? count * padded_channels * kBlockK : 0)};
    return packed;
  }

  T* columns_of(int64_t slot) const { return columns + slot * (Ks + Kt) * kBlockNodes; }
  double* sums_of(int64_t slot, int64_t image) const {
    return sums + (slot * B + image) * kSums * kBlockNodes;
  }
  double* grads_of(int64_t slot) const { return grads + slot * padded_channels * kBlockNodes; }
  T* thread_panel() const { return panel_buffers + omp_get_thread_num() * larger(Ks, Kt) * P; }
  T* thread_tiles() const { return tiles + omp_get_thread_num() * 2 * kTile * kPanels; }
  int64_t image_of(int64_t block) const { return block / image_blocks; }
  int64_t first_node(int64_t block) const { return block % image_blocks * kBlockNodes; }
  int64_t node_count(int64_t block) const { return smaller(kBlockNodes, N - first_node(block)); }
  // Of a node among all of the batch, and of its share against an image.
  int64_t node_index(int64_t image, int64_t n) const { return image * N + n; }
  int64_t share_index(int64_t image, int64_t node) const { return image * B * N + node; }
  // Of the first node of a block, and of its share against an image.
  int64_t node_index(int64_t block) const { return node_index(image_of(block), first_node(block)); }
  int64_t block_share(int64_t image, int64_t block) const {
    return share_index(image, node_index(block));
  }
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

// The unit vectors of `count` nodes, at most a panel, from n0 of image b on, [K, P]; nodes past them
// and channels past the last are 0.
template <class T>
inline void pack_panel(const Map& map,
                       const double* scale,
                       int64_t b,
                       int64_t n0,
                       int64_t count,
                       int64_t K,
                       T* columns) {
  constexpr int64_t P = kColumns<T>;
  memset(columns, 0, size_t(K * P) * sizeof(T));
  for (int64_t c = 0; c < map.C && count > 0; ++c) {
    load_scaled(map, scale, b, c, n0, count, columns + c * P);
  }
}

// Packs a block as number `slot` of `rows`, the student's channels as well where it has a gradient,
// and where `columns` is not null as columns, too: panels [Ks + Kt, P]. Nodes past the image are 0
// as far as a micro-kernel reads.
template <class T>
inline void pack_block(const Relation<T>& relation,
                       int64_t block,
                       int64_t slot,
                       const PackedRows<T>& rows,
                       T* columns) {
  constexpr int64_t P = Relation<T>::P;
  const CrossImageRelationArgs& args = relation.args;
  const int64_t b = relation.image_of(block), n0 = relation.first_node(block);
  const int64_t read = round_up(relation.node_count(block), kRows<T>);
  for (int64_t n = 0; n < read; n += P) {
    const int64_t first = relation.node_index(b, n0) + n, panel = (slot * kBlockNodes + n) / P;
    const int64_t count = smaller(P, relation.node_count(block) - n);  // below 1: all padding
    T* packed =
        columns == nullptr ? relation.thread_panel() : columns + n * (relation.Ks + relation.Kt);
    T* of_teacher = columns == nullptr ? packed : packed + relation.Ks * P;
    pack_panel(args.teacher, relation.teacher_scale + first, b, n0 + n, count, relation.Kt,
               of_teacher);
    panel_to_rows(panel, false, relation.Kt, of_teacher, rows.teacher);
    pack_panel(args.student, relation.student_scale + first, b, n0 + n, count, relation.Ks, packed);
    panel_to_rows(panel, false, relation.Ks, packed, rows.student);
    for (int64_t c = 0; c < rows.channels.count && args.want_grad; ++c) {
      T* row = rows.channels.row(c, slot) + n;
      if (c < relation.Cs) {
        memcpy(row, packed + c * P, P * sizeof(T));
      } else {
        memset(row, 0, P * sizeof(T));
      }
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_CROSS_IMAGE_RELATION_RELATION_H
