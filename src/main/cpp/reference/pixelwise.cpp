// reference/pixelwise.cpp: the pixel-wise loss in the order of its formula: long double, one
// thread. All backends are tested against it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/pixelwise_args.h"
#include "reference/access.h"
#include "reference/divergence.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

bool is_valid(const PixelwiseArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || at(args.mask, b, n, args.student.W) != 0.0;
}

// f64 inputs differ in their last bits where student and teacher nearly agree. The 11 bits that
// this has beyond them keep every difference of two logits exact unless one dwarfs the other.
using Real = long double;

// log_q[c] = log softmax over classes of logits / temperature, at pixel n of image b.
void log_softmax(const Map& logits, int64_t b, int64_t n, double temperature, Real* log_q) {
  double highest = at(logits, b, 0, n);
  for (int64_t c = 1; c < logits.C; ++c) highest = std::fmax(highest, at(logits, b, c, n));
  Real sum = 0;
  for (int64_t c = 0; c < logits.C; ++c) {
    log_q[c] = (Real(at(logits, b, c, n)) - Real(highest)) / Real(temperature);
    sum += std::exp(log_q[c]);
  }
  for (int64_t c = 0; c < logits.C; ++c) log_q[c] -= std::log(sum);
}

// q x, and 0 for q = 0 even if x is infinite or 0/0.
Real weighted(Real log_q, Real x) {
  const Real q = std::exp(log_q);
  return q == 0 ? 0 : q * x;
}

// KL(q, p) of the distributions q and p at one pixel, and what the gradient needs of it.
struct Divergence {
  Real value;
  bool is_small;  // then delta is filled
  Real excess;    // e^KL - 1
};

// Below this KL the sum of q (log q - log p) loses bits: its terms are of both signs.
constexpr Real kSmall = 0.125L;

// Whether log q and log p of a class nearly agree.
bool is_near(Real q, Real delta) { return q != 0 && std::fabs(delta) < 1; }

// Takes the logits themselves where they nearly agree, since the logarithms are rounded:
//   delta[c] = log q - log p - KL = d - mean_q d,    d = difference of logits / temperature
//   KL       = log(1 + F), F = sum q phi(delta)      all terms of one sign
Divergence divergence_of(const Map& q_logits,
                         const Map& p_logits,
                         int64_t b,
                         int64_t n,
                         double temperature,
                         const Real* log_q,
                         const Real* log_p,
                         Real* delta) {
  const int64_t K = q_logits.C;
  Real plain = 0, mean = 0;
  int64_t likeliest = 0;
  for (int64_t c = 0; c < K; ++c) {
    plain += weighted(log_q[c], log_q[c] - log_p[c]);
    if (log_q[c] > log_q[likeliest]) likeliest = c;
  }
  if (!(plain < kSmall)) return {plain, false, 0};  // also infinite, and NaN

  const auto gap = [&](int64_t c) { return Real(at(q_logits, b, c, n)) - at(p_logits, b, c, n); };
  for (int64_t c = 0; c < K; ++c) {
    delta[c] = std::exp(log_q[c]) == 0 ? 0 : (gap(c) - gap(likeliest)) / Real(temperature);
    mean += weighted(log_q[c], delta[c]);
  }
  Real excess = 0;
  for (int64_t c = 0; c < K; ++c) {
    const Real q = std::exp(log_q[c]);
    if (q != 0) delta[c] -= mean;
    // q e^-delta is p e^KL, also of a class with q = 0.
    excess +=
        is_near(q, delta[c]) ? q * phi(delta[c]) : std::exp(log_p[c] + plain) - q + q * delta[c];
  }
  return {std::log1p(excess), true, excess};
}

// -sum_k q log p.
Real cross_entropy(const Real* log_q, const Real* log_p, int64_t K) {
  Real sum = 0;
  for (int64_t c = 0; c < K; ++c) sum += weighted(log_q[c], -log_p[c]);
  return sum;
}

// Derivative of KL(q, p) by a logit / temperature of p: p - q.
Real by_second(const Divergence& kl, Real log_q, Real log_p, Real delta) {
  const Real q = std::exp(log_q);
  if (!kl.is_small || !is_near(q, delta)) return std::exp(log_p) - q;
  return q * (std::expm1(-delta) - kl.excess) / (1 + kl.excess);
}

// The derivative by a logit of q: q (log q - log p - KL).
Real by_first(const Divergence& kl, Real log_q, Real log_p, Real delta) {
  return weighted(log_q, kl.is_small ? delta : log_q - log_p - kl.value);
}

}  // namespace

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs& args) {
  return size_t(3 * args.student.C) * sizeof(Real);
}

void pixelwise(const Launch&, const PixelwiseArgs& args, void* workspace) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  const bool student_first = args.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const Map& first = student_first ? args.student : args.teacher;
  const Map& second = student_first ? args.teacher : args.student;
  Real* log_q = static_cast<Real*>(workspace);
  Real* log_p = log_q + K;
  Real* delta = log_p + K;
  int64_t valid_pixels = 0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) valid_pixels += is_valid(args, b, n);
  }
  const PixelwiseScales scales = pixelwise_scales(args, valid_pixels);

  Real sum = 0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) {
      const bool valid = is_valid(args, b, n);
      Divergence kl = {};
      if (valid) {
        log_softmax(first, b, n, args.temperature, log_q);
        log_softmax(second, b, n, args.temperature, log_p);
        kl = divergence_of(first, second, b, n, args.temperature, log_q, log_p, delta);
        const bool cross = args.divergence == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
        sum += cross ? cross_entropy(log_q, log_p, K) : kl.value;
      }
      for (int64_t c = 0; args.grad.data && c < K; ++c) {
        const Real g = !valid          ? Real(0)
                       : student_first ? by_first(kl, log_q[c], log_p[c], delta[c])
                                       : by_second(kl, log_q[c], log_p[c], delta[c]);
        set(args.grad, b, c, n, valid ? double(Real(scales.grad) * g) : 0.0);
      }
    }
  }
  set_loss(args.loss, args.student.dtype, double(Real(scales.value) * sum));
  set_plan("pixelwise: reference, %lld valid pixels", static_cast<long long>(valid_pixels));
}

}  // namespace structkd::reference
