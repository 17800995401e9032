// core/centre_similarity.h: how similar a position is to the centre of its class, and which way
// that changes: the arithmetic of one position of the intra-class variation loss.
#ifndef STRUCTKD_CORE_CENTRE_SIMILARITY_H
#define STRUCTKD_CORE_CENTRE_SIMILARITY_H

#include <math.h>

#include "core/host_device.h"
#include "core/intra_class_variation_args.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

struct CentreSimilarity {
  double value;    // M
  double lengths;  // |f| |c|
  double squares;  // |f|^2
};

// A length from its square. Neither a NaN nor a length beyond f64 may pass for a number: both make
// it NaN, so that they show.
STRUCTKD_HOST_DEVICE inline double length_of(double squares) {
  return sqrt(squares) + (squares - squares);  // inf - inf is NaN
}

STRUCTKD_HOST_DEVICE inline CentreSimilarity centre_similarity(double product,
                                                               double squares,
                                                               double centre_length) {
  const double lengths = length_of(squares) * centre_length;
  const double divisor = lengths < kLeastLengths ? kLeastLengths : lengths;
  return {lengths == 0.0 ? 0.0 : product / divisor, lengths, squares};
}

// d loss / d f = along * c + stretch * f, d loss / d c = along * f - turn * c / |c|^2, both by way
// of this position alone. `slope` is d loss / d M.
struct CentreSlopes {
  double along, stretch, turn;
};

STRUCTKD_HOST_DEVICE inline CentreSlopes centre_slopes(const CentreSimilarity& similarity,
                                                       double slope) {
  if (similarity.lengths == 0.0) return {0.0, 0.0, 0.0};
  // The divisor is a constant there.
  if (similarity.lengths < kLeastLengths) return {slope / kLeastLengths, 0.0, 0.0};
  const double turn = slope * similarity.value;
  return {slope / similarity.lengths, -turn / similarity.squares, turn};
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_CENTRE_SIMILARITY_H
