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

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_DIVERGENCE_H
