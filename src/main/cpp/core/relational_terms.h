// core/relational_terms.h: constants and counts of the relational loss, and what is the same on
// every backend. Shared with CUDA sources.
#ifndef STRUCTKD_CORE_RELATIONAL_TERMS_H
#define STRUCTKD_CORE_RELATIONAL_TERMS_H

#include <stdint.h>

#include "core/host_device.h"
#include "structkd/relational.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// Least square of a distance, and of twice an area, by which roots have a derivative (RKD's code).
constexpr double kLeastSquare = 1e-12;

// The length up to which embeddings agree, or an embedding has no direction: eps of F.normalize.
constexpr double kLeastLength = 1e-12;

// Of the squared sum of a triangle's squared sides: where no more is left of the square of twice its
// area, it counts as flat. Each side's square is rounded by some 2^-50, and so the square of any
// other triangle by 2^-18 of itself at most, its area by half of that.
constexpr double kFlat = 0x1p-32;

// The derivative of huber. NaN stays.
STRUCTKD_HOST_DEVICE inline double huber_slope(double x) {
  return x < -1.0 ? -1.0 : x > 1.0 ? 1.0 : x;
}

// huber, from its derivative.
STRUCTKD_HOST_DEVICE inline double huber(double x, double slope) {
  return slope * (x - 0.5 * slope);
}

// How many values psi has that are not 0 by definition, each counted once: of them is the mean.
STRUCTKD_HOST_DEVICE inline double relations(structkd_relation relation, double N) {
  return relation == STRUCTKD_RELATION_AREA ? N * (N - 1) * (N - 2) / 6 : N * (N - 1);
}

// How often the loss counts each of them, over its divisor.
STRUCTKD_HOST_DEVICE inline double relation_share(structkd_relation relation, double N) {
  if (relation == STRUCTKD_RELATION_DISTANCE) return 1 / (N * N);
  return (relation == STRUCTKD_RELATION_AREA ? 6 : 1) / (N * N * N);
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_RELATIONAL_TERMS_H
