// reference/pairwise.cpp: the pair-wise loss in the order of its formula. Slow on purpose: O(N^2
// C), f64, one thread. All backends are tested against it: a change here redefines the loss.
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/pairwise_args.h"
#include "core/pairwise_forms.h"
#include "reference/access.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

// The nodes of one group: an image, or the whole batch in image order.
struct Group {
  const PairwiseArgs& args;
  int64_t first_image;
  int64_t nodes;

  int64_t image(int64_t i) const { return first_image + i / (args.student.H * args.student.W); }
  int64_t node(int64_t i) const { return i % (args.student.H * args.student.W); }
  double weight(int64_t i) const {
    return args.weights.data ? at(args.weights, image(i), node(i), args.student.W) : 1.0;
  }
};

// Unit columns: unit[c * nodes + i] = f_i / length. A node with |f| <= eps becomes zero, and so
// does one of weight 0, whatever it holds. A length beyond f64 makes the node NaN: it must show.
void scale_to_unit(const Group& group, const Map& map, double* unit, double* norm, double* length) {
  const PairwiseArgs& args = group.args;
  for (int64_t i = 0; i < group.nodes; ++i) {
    double squares = 0.0;
    for (int64_t c = 0; group.weight(i) != 0.0 && c < map.C; ++c) {
      const double f = at(map, group.image(i), c, group.node(i));
      squares += f * f;
    }
    norm[i] = std::isinf(squares) ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(squares);
    length[i] = args.eps_mode == STRUCTKD_EPS_ADD ? norm[i] + args.eps : norm[i];
    for (int64_t c = 0; c < map.C; ++c) {
      const double f = at(map, group.image(i), c, group.node(i));
      unit[c * group.nodes + i] = norm[i] <= args.eps ? 0.0 : f / length[i];
    }
  }
}

// A gap, or an affinity, as it is summed.
double summand(structkd_compare compare, double gap) {
  return compare == STRUCTKD_COMPARE_L1 ? std::abs(gap) : gap * gap;
}

// Half the derivative of the square, or the derivative of the absolute value. NaN stays.
double slope(structkd_compare compare, double gap) {
  if (compare == STRUCTKD_COMPARE_SQUARED) return gap;
  if (std::abs(gap) <= kTie) return 0.0;
  return gap > 0.0 ? 1.0 : gap < 0.0 ? -1.0 : gap;
}

// The sums over all pairs, and their derivative by the unit columns into ds.
PairSums sum_of_gaps(const Group& group, const double* s, const double* t, double* ds) {
  const structkd_compare compare = group.args.compare;
  const int64_t N = group.nodes, Cs = group.args.student.C, Ct = group.args.teacher.C;
  PairSums sums = {};
  for (int64_t i = 0; i < N; ++i) {
    for (int64_t j = 0; j < N; ++j) {
      const double pair_weight = group.weight(i) * group.weight(j);
      double affinity_s = 0.0, affinity_t = 0.0;
      for (int64_t c = 0; c < Cs; ++c) affinity_s += s[c * N + i] * s[c * N + j];
      for (int64_t c = 0; c < Ct; ++c) affinity_t += t[c * N + i] * t[c * N + j];
      const double gap = affinity_s - affinity_t;
      sums.gaps += pair_weight * summand(compare, gap);
      sums.student += pair_weight * summand(compare, affinity_s);
      if (ds == nullptr) continue;
      const double factor = derivative_factor(compare) * pair_weight * slope(compare, gap);
      for (int64_t c = 0; c < Cs; ++c) ds[c * N + i] += factor * s[c * N + j];
    }
  }
  return sums;
}

// Chain rule through the scaling to unit length; writes the gradient of the raw features.
void write_grad(const Group& group,
                const double* s,
                const double* ds,
                const double* norm,
                const double* length,
                double scale) {
  const PairwiseArgs& args = group.args;
  const int64_t N = group.nodes;
  for (int64_t i = 0; i < N; ++i) {
    double along = 0.0;  // <s_i, ds_i>: the part of the gradient that only stretches the vector
    for (int64_t c = 0; c < args.student.C; ++c) along += s[c * N + i] * ds[c * N + i];
    for (int64_t c = 0; c < args.student.C; ++c) {
      double g = 0.0;
      if (!(norm[i] <= args.eps)) {
        g = ds[c * N + i] / length[i];
        if (args.norm == STRUCTKD_NORM_DIFFERENTIABLE) g -= s[c * N + i] * along / norm[i];
      }
      set(args.grad, group.image(i), c, group.node(i), scale * g);
    }
  }
}

}  // namespace

size_t pairwise_workspace(const Launch&, const PairwiseArgs& args) {
  const int64_t images = args.pairs == STRUCTKD_PAIRS_WHOLE_BATCH ? args.student.B : 1;
  const int64_t nodes = images * args.student.H * args.student.W;
  const int64_t rows = 2 * args.student.C + args.teacher.C + 4;  // s, ds, t, norms and lengths
  return size_t(rows * nodes) * sizeof(double);
}

void pairwise(const Launch&, const PairwiseArgs& args, void* workspace) {
  const bool whole_batch = args.pairs == STRUCTKD_PAIRS_WHOLE_BATCH;
  const int64_t groups = whole_batch ? 1 : args.student.B;
  const int64_t N = (whole_batch ? args.student.B : 1) * args.student.H * args.student.W;
  double* s = static_cast<double*>(workspace);
  double* ds = s + args.student.C * N;
  double* t = ds + args.student.C * N;
  double* norm = t + args.teacher.C * N;
  double* length = norm + N;
  double* teacher_norm = length + N;
  double* teacher_length = teacher_norm + N;

  double loss = 0.0, kappa = 0.0;
  for (int64_t g = 0; g < groups; ++g) {
    const Group group{args, g, N};
    scale_to_unit(group, args.student, s, norm, length);
    scale_to_unit(group, args.teacher, t, teacher_norm, teacher_length);
    for (int64_t e = 0; e < args.student.C * N; ++e) ds[e] = 0.0;
    double total_weight = 0.0;
    for (int64_t i = 0; i < N; ++i) total_weight += group.weight(i);
    const PairSums sums = sum_of_gaps(group, s, t, args.grad.data ? ds : nullptr);
    const double share = share_of_loss(args.reduction, total_weight, double(groups));
    loss += share * sums.gaps;
    if (args.grad.data) write_grad(group, s, ds, norm, length, share);
    const double group_kappa = condition_number(args.compare, sums);
    if (group_kappa > kappa) kappa = group_kappa;
  }
  set_loss(args.loss, args.student.dtype, loss);
  if (args.kappa) *args.kappa = kappa;
  set_plan("pairwise: reference, %lld groups of %lld nodes", static_cast<long long>(groups),
           static_cast<long long>(N));
}

}  // namespace structkd::reference
