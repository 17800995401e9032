// reference/softmax_divergence.h: two softmaxes and what lies between them, for losses that compare
// the classes of a pixel or the positions of a channel.
#ifndef STRUCTKD_REFERENCE_SOFTMAX_DIVERGENCE_H
#define STRUCTKD_REFERENCE_SOFTMAX_DIVERGENCE_H

#include <stdint.h>

#include "reference/divergence.h"

namespace structkd::reference {

// log_q[c] = log softmax of `count` logits / temperature.
inline void log_softmax(const double* logits, int64_t count, double temperature, Real* log_q) {
  double highest = logits[0];
  for (int64_t c = 1; c < count; ++c) highest = std::fmax(highest, logits[c]);
  Real sum = 0;
  for (int64_t c = 0; c < count; ++c) {
    log_q[c] = (Real(logits[c]) - Real(highest)) / Real(temperature);
    sum += std::exp(log_q[c]);
  }
  for (int64_t c = 0; c < count; ++c) log_q[c] -= std::log(sum);
}

// q x, and 0 for q = 0 even if x is infinite or 0/0.
inline Real weighted(Real log_q, Real x) {
  const Real q = std::exp(log_q);
  return q == 0 ? 0 : q * x;
}

// KL(q, p) of two distributions, and what the gradient needs of it.
struct Divergence {
  Real value;
  bool is_small;  // then delta is filled
  Real excess;    // e^KL - 1
};

// Below this KL the sum of q (log q - log p) loses bits: its terms are of both signs.
constexpr Real kSmall = 0.125L;

// Whether log q and log p of a class nearly agree.
inline bool is_near(Real q, Real delta) { return q != 0 && std::fabs(delta) < 1; }

// Takes the logits themselves where they nearly agree, since the logarithms are rounded:
//   delta[c] = log q - log p - KL = d - mean_q d,    d = difference of logits / temperature
//   KL       = log(1 + F), F = sum q phi(delta)      all terms of one sign
inline Divergence divergence_of(const double* q_logits,
                                const double* p_logits,
                                int64_t K,
                                double temperature,
                                const Real* log_q,
                                const Real* log_p,
                                Real* delta) {
  Real plain = 0, mean = 0;
  int64_t likeliest = 0;
  for (int64_t c = 0; c < K; ++c) {
    plain += weighted(log_q[c], log_q[c] - log_p[c]);
    if (log_q[c] > log_q[likeliest]) likeliest = c;
  }
  if (!(plain < kSmall)) return {plain, false, 0};  // also infinite, and NaN

  const auto gap = [&](int64_t c) { return Real(q_logits[c]) - p_logits[c]; };
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
inline Real cross_entropy(const Real* log_q, const Real* log_p, int64_t K) {
  Real sum = 0;
  for (int64_t c = 0; c < K; ++c) sum += weighted(log_q[c], -log_p[c]);
  return sum;
}

// Derivative of KL(q, p) by a logit / temperature of p: p - q.
inline Real by_second(const Divergence& kl, Real log_q, Real log_p, Real delta) {
  const Real q = std::exp(log_q);
  if (!kl.is_small || !is_near(q, delta)) return std::exp(log_p) - q;
  return q * (std::expm1(-delta) - kl.excess) / (1 + kl.excess);
}

// The derivative by a logit of q: q (log q - log p - KL).
inline Real by_first(const Divergence& kl, Real log_q, Real log_p, Real delta) {
  return weighted(log_q, kl.is_small ? delta : log_q - log_p - kl.value);
}

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_SOFTMAX_DIVERGENCE_H
