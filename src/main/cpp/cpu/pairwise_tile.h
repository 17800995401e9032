// cpu/pairwise_tile.h: the pair-wise sum pair by pair, for maps with few nodes per channel.
//
// A thread owns a panel of nodes: it computes the panel's affinity gaps to all nodes, tile by tile,
// sums their squares, and multiplies them with the student's vectors for the gradient. O(N C)
// memory, and N is below about 2C here. All in f64: at these sizes the exact way costs little.
#ifndef STRUCTKD_CPU_PAIRWISE_TILE_H
#define STRUCTKD_CPU_PAIRWISE_TILE_H

#include <omp.h>

#include "core/workspace.h"
#include "cpu/pairwise_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

struct PairTiles {
  static constexpr int64_t P = kPanel<double>;

  int64_t Cs, Ct;
  int64_t image_panels;  // panels of nodes per image; the last one is filled up with zero nodes
  int64_t node_panels;   // of the group
  int64_t channel_panels;
  double* nodes;     // [node_panels, Cs + Ct, P]: reduction over channels
  double* channels;  // [channel_panels, node_panels * P, P]: reduction over nodes
  PairSums* sums;    // per node panel, added in panel order
  double* gaps;      // per thread [node_panels * P, P]
  double* grads;     // per thread [channel_panels * P, P]

  PairTiles(const PairwiseArgs& args, int64_t N, int64_t images, int threads, Workspace& workspace)
      : Cs(args.student.C),
        Ct(args.teacher.C),
        image_panels(divide_up(N, P)),
        node_panels(images * image_panels),
        channel_panels(divide_up(Cs, P)) {
    nodes = workspace.take<double>(node_panels * (Cs + Ct) * P);
    channels = workspace.take<double>(args.want_grad ? channel_panels * node_panels * P * P : 0);
    sums = workspace.take<PairSums>(node_panels);
    gaps = workspace.take<double>(threads * node_panels * P * P);
    grads = workspace.take<double>(args.want_grad ? threads * channel_panels * P * P : 0);
  }
};

inline void pack_nodes(const NodeGroup& group, const PairTiles& tiles, int64_t panel) {
  constexpr int64_t P = PairTiles::P;
  const int64_t image = panel / tiles.image_panels, n0 = panel % tiles.image_panels * P;
  const int64_t count = smaller(P, group.N - n0), K = tiles.Cs + tiles.Ct;
  double* packed = tiles.nodes + panel * K * P;
  for (int64_t k = 0; k < K; ++k) {
    double* row = packed + k * P;
    for (int64_t i = 0; i < P; ++i) row[i] = 0.0;
    if (k < tiles.Cs) {
      load_student(group, image, k, n0, count, row);
    } else {
      load_teacher(group, image, k - tiles.Cs, n0, count, row);
    }
  }
  if (!group.args.want_grad) return;
  for (int64_t c = 0; c < tiles.channel_panels; ++c) {
    double* out = tiles.channels + (c * tiles.node_panels + panel) * P * P;
    pack_panel(packed + c * P * P, P, smaller(P, tiles.Cs - c * P), P, out);
  }
}

// Gaps between all nodes j (rows) and the nodes i of one panel (columns), and their sums.
inline PairSums panel_gaps(const PairTiles& tiles, int64_t panel, double* gaps) {
  constexpr int64_t P = PairTiles::P;
  const int64_t K = tiles.Cs + tiles.Ct;
  const double* own = tiles.nodes + panel * K * P;
  PairSums sums = {0.0, 0.0};
  for (int64_t j = 0; j < tiles.node_panels; ++j) {
    const double* other = tiles.nodes + j * K * P;
    double* gap = gaps + j * P * P;
    double teacher[P * P];
    panel_product<double, double, false>(tiles.Cs, other, own, gap);
    panel_product<double, double, false>(tiles.Ct, other + tiles.Cs * P, own + tiles.Cs * P,
                                         teacher);
    for (int64_t e = 0; e < P * P; ++e) {
      sums.student += gap[e] * gap[e];
      gap[e] -= teacher[e];
      sums.gaps += gap[e] * gap[e];
    }
  }
  return sums;
}

// Both passes of the tile form; the gradient is written if wanted.
inline PairSums pair_by_pair(const NodeGroup& group, const PairTiles& tiles, double factor) {
  constexpr int64_t P = PairTiles::P;
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t panel = 0; panel < tiles.node_panels; ++panel) pack_nodes(group, tiles, panel);
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t panel = 0; panel < tiles.node_panels; ++panel) {
    const int thread = omp_get_thread_num();
    double* gaps = tiles.gaps + thread * tiles.node_panels * P * P;
    tiles.sums[panel] = panel_gaps(tiles, panel, gaps);
    if (group.args.grad.data == nullptr) continue;
    double* grads = tiles.grads + thread * tiles.channel_panels * P * P;
    for (int64_t c = 0; c < tiles.channel_panels; ++c) {
      panel_product<double, double, false>(tiles.node_panels * P,
                                           tiles.channels + c * tiles.node_panels * P * P, gaps,
                                           grads + c * P * P);
    }
    const int64_t image = panel / tiles.image_panels, n0 = panel % tiles.image_panels * P;
    write_grad_panel(group, image, n0, smaller(P, group.N - n0),
                     tiles.nodes + panel * (tiles.Cs + tiles.Ct) * P, grads, factor);
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
