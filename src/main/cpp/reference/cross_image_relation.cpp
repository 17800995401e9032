// reference/cross_image_relation.cpp: the cross-image relation loss in the order of its formula.
// Slow on purpose: f64, softmax and divergence in long double, one thread. All backends are tested
// against it: a change here redefines the loss.
#include <cmath>
#include <limits>

#include "core/cross_image_relation_args.h"
#include "core/error.h"
#include "reference/access.h"
#include "reference/divergence.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

// Arrays of the whole batch: node i of image b is row b * N + i.
struct Scratch {
  Real *log_q_s, *log_q_t;  // [N] of one row against one image
  double *s, *ds, *t;       // unit vectors and the gradient of the student's, [B N, C]
  double *norm_s, *norm_t;  // [B N]; 0 of a zero node

  Scratch(const CrossImageRelationArgs& args, void* workspace) {
    const int64_t N = args.student.H * args.student.W, rows = args.student.B * N;
    log_q_s = static_cast<Real*>(workspace);
    log_q_t = log_q_s + N;
    s = reinterpret_cast<double*>(log_q_t + N);
    ds = s + rows * args.student.C;
    t = ds + rows * args.student.C;
    norm_s = t + rows * args.teacher.C;
    norm_t = norm_s + rows;
  }
};

// A node with |f| <= eps becomes zero. A length beyond f64 makes the node NaN: it must show.
void scale_to_unit(const Map& map, double eps, double* unit, double* norm) {
  const int64_t N = map.H * map.W;
  for (int64_t row = 0; row < map.B * N; ++row) {
    double squares = 0.0;
    for (int64_t c = 0; c < map.C; ++c) {
      const double f = at(map, row / N, c, row % N);
      squares += f * f;
    }
    norm[row] = std::isinf(squares) ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(squares);
    if (norm[row] <= eps) norm[row] = 0.0;
    for (int64_t c = 0; c < map.C; ++c) {
      unit[row * map.C + c] = norm[row] == 0.0 ? 0.0 : at(map, row / N, c, row % N) / norm[row];
    }
  }
}

// log_q[j] = log softmax over j < N of <f, others_j> / temperature.
void log_softmax(
    const double* f, const double* others, int64_t N, int64_t C, double temperature, Real* log_q) {
  Real largest = -HUGE_VALL, sum = 0;
  for (int64_t j = 0; j < N; ++j) {
    double cosine = 0.0;
    for (int64_t c = 0; c < C; ++c) cosine += f[c] * others[j * C + c];
    log_q[j] = Real(cosine) / Real(temperature);
    largest = std::fmax(largest, log_q[j]);
  }
  for (int64_t j = 0; j < N; ++j) sum += std::exp(log_q[j] - largest);
  for (int64_t j = 0; j < N; ++j) log_q[j] -= largest + std::log(sum);
}

// Chain rule through the scaling to unit length.
void write_grad(const CrossImageRelationArgs& args, const Scratch& scratch) {
  const int64_t N = args.student.H * args.student.W, C = args.student.C;
  for (int64_t row = 0; row < args.student.B * N; ++row) {
    const double *s = scratch.s + row * C, *ds = scratch.ds + row * C;
    double along = 0.0;  // <s, ds>: the part of the gradient that only stretches the vector
    for (int64_t c = 0; c < C; ++c) along += s[c] * ds[c];
    for (int64_t c = 0; c < C; ++c) {
      const double norm = scratch.norm_s[row];
      set(args.grad, row / N, c, row % N, norm == 0.0 ? 0.0 : (ds[c] - s[c] * along) / norm);
    }
  }
}

}  // namespace

size_t cross_image_relation_workspace(const Launch&, const CrossImageRelationArgs& args) {
  const int64_t N = args.student.H * args.student.W, rows = args.student.B * N;
  return size_t(2 * N) * sizeof(Real) +
         size_t(rows * (2 * args.student.C + args.teacher.C + 2)) * sizeof(double);
}

void cross_image_relation(const Launch&, const CrossImageRelationArgs& args, void* workspace) {
  const int64_t B = args.student.B, N = args.student.H * args.student.W;
  const int64_t Cs = args.student.C, Ct = args.teacher.C;
  const Scratch scratch(args, workspace);
  scale_to_unit(args.student, args.eps, scratch.s, scratch.norm_s);
  scale_to_unit(args.teacher, args.eps, scratch.t, scratch.norm_t);
  for (int64_t e = 0; e < B * N * Cs; ++e) scratch.ds[e] = 0.0;
  const double scale = relation_scale(args);
  Real sum = 0;
  for (int64_t row = 0; row < B * N; ++row) {
    for (int64_t n = 0; n < B; ++n) {
      const double *s = scratch.s + row * Cs, *others = scratch.s + n * N * Cs;
      log_softmax(s, others, N, Cs, args.temperature, scratch.log_q_s);
      log_softmax(scratch.t + row * Ct, scratch.t + n * N * Ct, N, Ct, args.temperature,
                  scratch.log_q_t);
      for (int64_t j = 0; j < N; ++j) {
        sum += divergence_term(scratch.log_q_t[j], scratch.log_q_s[j]);
        if (args.grad.data == nullptr) continue;
        // By the cosine of the pair, which moves with both of its nodes.
        const double slope =
            scale / args.temperature * double(difference(scratch.log_q_s[j], scratch.log_q_t[j]));
        double *own = scratch.ds + row * Cs, *other = scratch.ds + (n * N + j) * Cs;
        for (int64_t c = 0; c < Cs; ++c) {
          own[c] += slope * others[j * Cs + c];
          other[c] += slope * s[c];
        }
      }
    }
  }
  if (args.grad.data) write_grad(args, scratch);
  set_loss(args.loss, args.student.dtype, double(Real(scale) * sum));
  set_plan("cross_image_relation: reference, %lld images of %lld nodes", static_cast<long long>(B),
           static_cast<long long>(N));
}

}  // namespace structkd::reference
