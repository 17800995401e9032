// reference/global_structural.cpp: the global structural loss in the order of its formula. Slow on
// purpose: f64, softmax and divergence in long double, one thread. All backends are tested against
// it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/global_structural_args.h"
#include "reference/access.h"
#include "reference/divergence.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

// Arrays of one image; capacity M_max.
struct Scratch {
  Real *log_q_s, *log_q_t;    // [M, M] log of the softmax over the entry's group
  Real *sum_s, *sum_t, *kl;   // [M]
  double *x, *dx, *y;         // rows [M, Cs], [M, Cs], [M, Ct]
  double *norm_x, *norm_y;    // [M] length of a raw row; 0 for a zero row
  double *v_s, *v_t;          // [M, M]
  double *group_s, *group_t;  // [M] largest entry of a group
  int32_t* label;             // [M, M]
};

int64_t lay_out(const GlobalStructuralArgs& args, double* base, Scratch* scratch) {
  const int64_t M = args.max_samples;
  int64_t used = 0;
  auto take = [&](int64_t count) {
    const int64_t start = used;
    used += count;
    return base == nullptr ? nullptr : base + start;
  };
  // First, where they are aligned.
  auto take_real = [&](int64_t count) {
    constexpr int64_t kDoubles = sizeof(Real) / sizeof(double);
    return reinterpret_cast<Real*>(take(kDoubles * count));
  };
  scratch->log_q_s = take_real(M * M), scratch->log_q_t = take_real(M * M);
  scratch->sum_s = take_real(M), scratch->sum_t = take_real(M), scratch->kl = take_real(M);
  scratch->x = take(M * args.student.C), scratch->dx = take(M * args.student.C);
  scratch->y = take(M * args.teacher.C);
  scratch->norm_x = take(M), scratch->norm_y = take(M);
  scratch->v_s = take(M * M), scratch->v_t = take(M * M);
  scratch->group_s = take(M), scratch->group_t = take(M);
  scratch->label = reinterpret_cast<int32_t*>(take((M * M + 1) / 2));
  return used;
}

void gather(const GlobalStructuralArgs& args,
            const Map& map,
            int64_t b,
            int64_t M,
            double* rows,
            double* norm) {
  for (int64_t m = 0; m < M; ++m) {
    const int64_t n = pixel_of(args, b, m);
    double squares = 0.0;
    for (int64_t c = 0; c < map.C; ++c) {
      const double f = n < 0 ? 0.0 : at(map, b, c, n);
      rows[m * map.C + c] = f;
      squares += f * f;
    }
    norm[m] = std::sqrt(squares);
    if (!args.normalize) continue;
    const bool zero = norm[m] <= args.eps;
    for (int64_t c = 0; c < map.C; ++c) {
      rows[m * map.C + c] = zero ? 0.0 : rows[m * map.C + c] / norm[m];
    }
    if (zero) norm[m] = 0.0;
  }
}

double product(const double* a, const double* b, int64_t C) {
  double sum = 0.0;
  for (int64_t c = 0; c < C; ++c) sum += a[c] * b[c];
  return sum;
}

// log_q[i,j] = log softmax over the group of (i,j) of v / tau; entries without a group stay unset.
void log_softmax_by_group(const DescriptorGroups& groups,
                          const int32_t* label,
                          const double* v,
                          double tau,
                          double* largest,
                          Real* sum,
                          Real* log_q) {
  const int64_t entries = groups.M * groups.M;
  for (int64_t g = 0; g < groups.count; ++g) largest[g] = -HUGE_VAL, sum[g] = 0;
  for (int64_t e = 0; e < entries; ++e) {
    if (label[e] >= 0 && v[e] > largest[label[e]]) largest[label[e]] = v[e];
  }
  for (int64_t e = 0; e < entries; ++e) {
    if (label[e] >= 0) sum[label[e]] += std::exp((Real(v[e]) - largest[label[e]]) / tau);
  }
  for (int64_t e = 0; e < entries; ++e) {
    if (label[e] < 0) continue;
    log_q[e] = (Real(v[e]) - largest[label[e]]) / tau - std::log(sum[label[e]]);
  }
}

// The image's loss; adds weight * gradient of the rows to scratch.dx.
double compare_maps(const GlobalStructuralArgs& args,
                    const DescriptorGroups& groups,
                    const Scratch& s,
                    double weight) {
  const int64_t M = groups.M, Cs = args.student.C, Ct = args.teacher.C;
  const bool cross = args.similarity == STRUCTKD_SIMILARITY_CROSS;
  const double tau = args.temperature;
  for (int64_t i = 0; i < M; ++i) {
    for (int64_t j = 0; j < M; ++j) {
      const double* other = cross ? s.y + j * Ct : s.x + j * Cs;
      s.v_s[i * M + j] = product(s.x + i * Cs, other, Cs);
      s.v_t[i * M + j] = product(s.y + i * Ct, s.y + j * Ct, Ct);
    }
  }
  log_softmax_by_group(groups, s.label, s.v_s, tau, s.group_s, s.sum_s, s.log_q_s);
  log_softmax_by_group(groups, s.label, s.v_t, tau, s.group_t, s.sum_t, s.log_q_t);
  for (int64_t g = 0; g < groups.count; ++g) s.kl[g] = 0;
  for (int64_t e = 0; e < M * M; ++e) {
    if (s.label[e] >= 0) s.kl[s.label[e]] += divergence_term(s.log_q_t[e], s.log_q_s[e]);
  }
  Real loss = 0;
  for (int64_t g = 0; g < groups.count; ++g) {
    if (factor_of(groups, g) != 0.0) loss += factor_of(groups, g) * tau * tau * s.kl[g];
  }
  if (!args.grad.data) return double(loss);
  for (int64_t e = 0; e < M * Cs; ++e) s.dx[e] = 0.0;
  for (int64_t i = 0; i < M; ++i) {
    for (int64_t j = 0; j < M; ++j) {
      const int64_t e = i * M + j;
      if (s.label[e] < 0) continue;
      // d loss / d V_S[i,j]; tau^2 of the loss and 1/tau of the softmax leave one tau.
      const double u = double(weight * factor_of(groups, s.label[e]) * tau *
                              difference(s.log_q_s[e], s.log_q_t[e]));
      for (int64_t c = 0; c < Cs; ++c) {
        s.dx[i * Cs + c] += u * (cross ? s.y[j * Ct + c] : s.x[j * Cs + c]);
        if (!cross) s.dx[j * Cs + c] += u * s.x[i * Cs + c];
      }
    }
  }
  return double(loss);
}

// Adds the rows' gradients, taken back through the scaling to unit length, to their pixels.
void scatter(const GlobalStructuralArgs& args, int64_t b, int64_t M, const Scratch& s) {
  const int64_t C = args.student.C;
  for (int64_t m = 0; m < M; ++m) {
    const double along = product(s.x + m * C, s.dx + m * C, C);
    for (int64_t c = 0; c < C; ++c) {
      double* g = s.dx + m * C + c;
      if (args.normalize)
        *g = s.norm_x[m] == 0.0 ? 0.0 : (*g - s.x[m * C + c] * along) / s.norm_x[m];
    }
  }
  for (int64_t n = 0; n < args.student.H * args.student.W; ++n) {
    for (int64_t c = 0; c < C; ++c) {
      double sum = 0.0;
      for (int64_t m = 0; m < M; ++m) {
        if (pixel_of(args, b, m) == n) sum += s.dx[m * C + c];
      }
      set(args.grad, b, c, n, sum);
    }
  }
}

}  // namespace

size_t global_structural_workspace(const Launch&, const GlobalStructuralArgs& args) {
  Scratch scratch;
  return size_t(lay_out(args, nullptr, &scratch)) * sizeof(double);
}

void global_structural(const Launch&, const GlobalStructuralArgs& args, void* workspace) {
  Scratch scratch;
  lay_out(args, static_cast<double*>(workspace), &scratch);
  double loss = 0.0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    const double weight = image_weight(args, b);
    const int64_t M = weight == 0.0 ? 0 : samples_of(args, b);
    if (M > 0) {
      const DescriptorGroups groups =
          make_groups(M, classes_of(args, b), args.group_width, args.reduction, args.remainder);
      gather(args, args.student, b, M, scratch.x, scratch.norm_x);
      gather(args, args.teacher, b, M, scratch.y, scratch.norm_y);
      for (int64_t i = 0; i < M; ++i) label_row(args, groups, b, i, scratch.label + i * M);
      loss += weight * compare_maps(args, groups, scratch, weight);
    }
    if (args.grad.data) scatter(args, b, M, scratch);
  }
  set_loss(args.loss, args.student.dtype, loss);
  set_plan("global_structural: reference, %lld images", static_cast<long long>(args.student.B));
}

}  // namespace structkd::reference
