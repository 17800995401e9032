// cpu/pairwise/nodes.h: what both forms of the pair-wise loss share: a group of nodes, the scales
// that make node vectors unit length, and the way from the gradient of unit vectors to that of the
// features.
#ifndef STRUCTKD_CPU_PAIRWISE_NODES_H
#define STRUCTKD_CPU_PAIRWISE_NODES_H

#include "core/pairwise_args.h"
#include "core/pairwise_forms.h"
#include "cpu/common/unit_nodes.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The nodes that are compared with each other: one image, or the whole batch.
struct NodeGroup {
  const PairwiseArgs& args;
  int64_t first_image;
  int64_t images;
  int64_t N;  // nodes per image
  int threads;

  // Per node of the group. A node enters every product as sqrt(weight) * f / length.
  double* student_scale;  // sqrt(weight) / length; 0 for a zero node and for one of weight 0
  double* teacher_scale;
  double* along;  // 1 / (|f| sqrt(weight)) of the student, for the gradient through the length
  double* root;   // sqrt(weight)

  double* strip_weight;  // partial sums per strip, added in strip order
  double* strip_gap;

  double total_weight;
  double gap;  // sum over nodes of weight * |s - t|^2, unit vectors; 0 where Cs != Ct
};

// scale and 1/|f| of one node, from the sum of its squares. Neither a NaN nor a length beyond f64
// is a zero node: both make the scale NaN, so that they show.
inline void node_scale(const PairwiseArgs& args, double squares, double* scale, double* inverse) {
  const double norm = node_length(squares);
  const bool zero = norm <= args.eps;
  *scale = zero ? 0.0 : 1.0 / (args.eps_mode == STRUCTKD_EPS_ADD ? norm + args.eps : norm);
  *inverse = zero ? 0.0 : 1.0 / norm;
}

inline void measure_strip(NodeGroup& group, int64_t strip) {
  const PairwiseArgs& args = group.args;
  const int64_t image = strip / strips_per_image(group.N);
  const int64_t n0 = strip % strips_per_image(group.N) * kStrip;
  const int64_t count = smaller(kStrip, group.N - n0), b = group.first_image + image;
  const bool comparable = args.student.C == args.teacher.C;
  double ss[kStrip] = {}, tt[kStrip] = {}, st[kStrip] = {};
  double s[kStrip], t[kStrip];
  for (int64_t c = 0; c < larger(args.student.C, args.teacher.C); ++c) {
    if (c < args.student.C) {
      load_row(args.student, b, c, n0, count, s);
      for (int64_t i = 0; i < count; ++i) ss[i] += s[i] * s[i];
    }
    if (c < args.teacher.C) {
      load_row(args.teacher, b, c, n0, count, t);
      for (int64_t i = 0; i < count; ++i) tt[i] += t[i] * t[i];
    }
    if (!comparable) continue;
    for (int64_t i = 0; i < count; ++i) st[i] += s[i] * t[i];
  }

  double weight_sum = 0.0, gap_sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t node = image * group.N + n0 + i;
    const double weight =
        args.weights.data ? plane_at<double>(args.weights, b, n0 + i, args.student.W) : 1.0;
    if (weight == 0.0) ss[i] = tt[i] = st[i] = 0.0;  // a zero node, whatever it holds
    double rs, rt, inverse, unused;
    node_scale(args, ss[i], &rs, &inverse);
    node_scale(args, tt[i], &rt, &unused);
    const double root = sqrt(weight);
    group.root[node] = root;
    group.student_scale[node] = root * rs;
    group.teacher_scale[node] = root * rt;
    group.along[node] = weight == 0.0 ? 0.0 : inverse / root;
    weight_sum += weight;
    if (comparable) {
      gap_sum += weight * (ss[i] * rs * rs - 2.0 * st[i] * rs * rt + tt[i] * rt * rt);
    }
  }
  group.strip_weight[strip] = weight_sum;
  group.strip_gap[strip] = gap_sum;
}

// First pass: fills the per-node scales, total_weight and gap.
inline void measure_nodes(NodeGroup& group) {
  const int64_t strips = group.images * strips_per_image(group.N);
#pragma omp parallel for num_threads(group.threads) schedule(static)
  for (int64_t strip = 0; strip < strips; ++strip) measure_strip(group, strip);
  group.total_weight = group.gap = 0.0;
  for (int64_t strip = 0; strip < strips; ++strip) {
    group.total_weight += group.strip_weight[strip];
    group.gap += group.strip_gap[strip];
  }
}

inline bool is_aligned(const NodeGroup& group) {
  return group.args.student.C == group.args.teacher.C && are_close(group.gap, group.total_weight);
}

// Channel c of the scaled vectors from node n0 of an image of the group on.
template <class T>
inline void load_student(
    const NodeGroup& group, int64_t image, int64_t c, int64_t n0, int64_t count, T* row) {
  load_scaled(group.args.student, group.student_scale + image * group.N + n0,
              group.first_image + image, c, n0, count, row);
}

template <class T>
inline void load_teacher(
    const NodeGroup& group, int64_t image, int64_t c, int64_t n0, int64_t count, T* row) {
  load_scaled(group.args.teacher, group.teacher_scale + image * group.N + n0,
              group.first_image + image, c, n0, count, row);
}

// Student minus teacher, each rounded to f64 first: equal ones give 0. count <= kStrip.
template <class T>
inline void load_difference(const NodeGroup& group,
                            int64_t image,
                            int64_t c,
                            int64_t n0,
                            int64_t count,
                            T* __restrict row) {
  double s[kStrip], t[kStrip];
  load_student(group, image, c, n0, count, s);
  load_teacher(group, image, c, n0, count, t);
  for (int64_t i = 0; i < count; ++i) row[i] = T(s[i] - t[i]);
}

// Writes the feature gradient of `count` nodes from n0 on, at most kStrip.
//   s  scaled student vectors   h  sum_j w_j gap_ij s_j, times sqrt(w_i)
//   g = factor * (h - s <s, h>) / length, the second term only if the norm is differentiable
template <class T>
inline void write_grad_nodes(const NodeGroup& group,
                             int64_t image,
                             int64_t n0,
                             int64_t count,
                             NodePanels<T> s,
                             NodePanels<T> h,
                             double factor) {
  const bool differentiable = group.args.norm == STRUCTKD_NORM_DIFFERENTIABLE;
  const int64_t node = image * group.N + n0;
  write_unit_grad(group.args.grad, group.first_image + image, n0, count, group.student_scale + node,
                  differentiable ? group.along + node : nullptr, s, h, factor);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PAIRWISE_NODES_H
