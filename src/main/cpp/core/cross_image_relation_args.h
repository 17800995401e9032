// core/cross_image_relation_args.h: checked arguments of the cross-image relation loss, as backends
// receive them.
#ifndef STRUCTKD_CORE_CROSS_IMAGE_RELATION_ARGS_H
#define STRUCTKD_CORE_CROSS_IMAGE_RELATION_ARGS_H

#include "core/loss_args.h"
#include "structkd/cross_image_relation.h"

namespace structkd {

struct CrossImageRelationArgs : LossArgs {
  double temperature;
  double eps;
};

namespace {  // internal linkage: per-ISA sources may not share inline copies

// Cosines are at most 1, so that exponentials are shifted by 1, whatever the row: no maximum is
// sought, and one exponential serves both rows that a pair of nodes is in. The smallest one,
// e^(-2 / temperature), stays a normal number of f32 down to a temperature of 1/32 (2^-93), and of
// f64 down to STRUCTKD_LEAST_RELATION_TEMPERATURE (2^-739).
constexpr double kLeastTemperatureOfF32 = 1.0 / 32;

// Up to so many nodes in the batch a call is all overhead, and f64 costs nothing.
constexpr int64_t kFewRelatedNodes = 64;

inline bool relates_in_f64(const CrossImageRelationArgs& args) {
  const Map& map = args.student;
  return map.dtype == STRUCTKD_F64 || args.temperature < kLeastTemperatureOfF32 ||
         map.B * map.H * map.W <= kFewRelatedNodes;
}

// What the sum of the rows' divergences is multiplied with.
inline double relation_scale(const CrossImageRelationArgs& args) {
  const double B = double(args.student.B);
  return 1.0 / (B * B * double(args.student.H) * double(args.student.W));
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_CROSS_IMAGE_RELATION_ARGS_H
