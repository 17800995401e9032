// reference/divergence.h: numbers of divergences, with more bits than any backend has.
#ifndef STRUCTKD_REFERENCE_DIVERGENCE_H
#define STRUCTKD_REFERENCE_DIVERGENCE_H

#include <cmath>
#include <limits>

namespace structkd::reference {

// f64 inputs differ in their last bits where student and teacher nearly agree. The 11 bits that
// this has beyond them keep every difference of two of them exact unless one dwarfs the other.
using Real = long double;

// e^-x - 1 + x >= 0 for |x| < 1, where it would cancel, by its series.
inline Real phi(Real x) {
  Real term = x * x / 2, sum = term;
  for (int n = 3; std::fabs(term) > std::numeric_limits<Real>::epsilon() / 4 * sum; ++n) {
    term *= -x / Real(n);
    sum += term;
  }
  return sum;
}

// What an entry adds to KL(q, p): q (log q - log p) - q + p. Both sum to 1, so that this changes
// nothing but the sign of the terms: none is below 0.
inline Real divergence_term(Real log_q, Real log_p) {
  const Real gap = log_q - log_p, q = std::exp(log_q);
  if (std::fabs(gap) < 1) return q * phi(gap);
  return (q == 0 ? 0 : q * gap) - q + std::exp(log_p);
}

// p - q.
inline Real difference(Real log_p, Real log_q) {
  const Real gap = log_p - log_q, q = std::exp(log_q);
  return std::fabs(gap) < 1 ? q * std::expm1(gap) : std::exp(log_p) - q;
}

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_DIVERGENCE_H
