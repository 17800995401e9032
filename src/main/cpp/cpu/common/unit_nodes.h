// cpu/common/unit_nodes.h: node vectors of a map at unit length, and the way from the gradient of
// unit vectors to that of the features.
#ifndef STRUCTKD_CPU_COMMON_UNIT_NODES_H
#define STRUCTKD_CPU_COMMON_UNIT_NODES_H

#include <math.h>

#include "cpu/common/access.h"
#include "cpu/common/gemm.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Nodes per step of the streaming passes: a row of f64 is 2 KB, so a few rows stay in the first
// cache.
constexpr int64_t kStrip = 256;

inline int64_t strips_per_image(int64_t N) { return divide_up(N, kStrip); }

// The length of a node from the sum of its squares. Neither a NaN nor a length beyond f64 may pass
// for a number: both make it NaN, so that they show.
inline double node_length(double squares) {
  return sqrt(squares) + (squares - squares);  // inf - inf is NaN
}

// row[i] = map[b, c, n0 + i] * scale[i] for i < count, computed in f64 and rounded once. A scale of
// 0 gives 0 of whatever the map holds: nodes without weight may hold NaN.
template <class T>
inline void load_scaled(const Map& map,
                        const double* __restrict scale,
                        int64_t b,
                        int64_t c,
                        int64_t n0,
                        int64_t count,
                        T* __restrict row) {
  for_each_element(map, b, c, n0, count, [=](int64_t i, auto x) {
    row[i] = scale[i] == 0.0 ? T(0) : T(double(x) * scale[i]);
  });
}

// Panels of kColumns nodes, one after the other, `stride` apart; each [channels, kColumns].
template <class T>
struct NodePanels {
  const T* data;
  int64_t stride;
};

// Writes the feature gradient of `count` nodes of image b from n0 on, at most kStrip.
//   s  scaled student vectors, panels of kColumns<T>   h  their gradient
//   g = factor * (h * scale - s <s, h> * along)
// scale, along: of node n0 and those behind it; along == nullptr: the length is a constant. A node
// of scale 0 has gradient 0.
template <class T, class H>
inline void write_unit_grad(const Map& grad,
                            int64_t b,
                            int64_t n0,
                            int64_t count,
                            const double* node_scale,
                            const double* along,
                            NodePanels<T> s,
                            NodePanels<H> h,
                            double factor) {
  constexpr int64_t P = kColumns<T>;
  const int64_t panels = divide_up(count, P);
  double stretch[kStrip] = {}, scale[kStrip] = {};  // zero past the last node
  memcpy(scale, node_scale, size_t(count) * sizeof(double));
  if (along != nullptr) {
    for (int64_t p = 0; p < panels; ++p) {
      double sums[P] = {};
      for (int64_t c = 0; c < grad.C; ++c) {
        const T* vectors = s.data + p * s.stride + c * P;
        const H* sum = h.data + p * h.stride + c * P;
        for (int64_t i = 0; i < P; ++i) sums[i] += double(vectors[i]) * double(sum[i]);
      }
      memcpy(stretch + p * P, sums, sizeof(sums));
    }
    for (int64_t i = 0; i < count; ++i) stretch[i] *= along[i];
  }
  // A channel at a time: pieces of a row that are too short cost more than their bytes.
  for (int64_t c = 0; c < grad.C; ++c) {
    double row[kStrip];
    for (int64_t p = 0; p < panels; ++p) {
      const T* vectors = s.data + p * s.stride + c * P;
      const H* sum = h.data + p * h.stride + c * P;
      const double *r = scale + p * P, *q = stretch + p * P;
      double* out = row + p * P;
      for (int64_t i = 0; i < P; ++i) {
        const double g = factor * (r[i] * double(sum[i]) - q[i] * double(vectors[i]));
        out[i] = r[i] == 0.0 ? 0.0 : g;  // also where the sum is NaN
      }
    }
    store_row(grad, b, c, n0, count, row);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_UNIT_NODES_H
