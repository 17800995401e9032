// core/intra_class_variation_args.h: checked arguments of the intra-class variation loss, as
// backends receive them.
#ifndef STRUCTKD_CORE_INTRA_CLASS_VARIATION_ARGS_H
#define STRUCTKD_CORE_INTRA_CLASS_VARIATION_ARGS_H

#include "core/loss_args.h"
#include "structkd/intra_class_variation.h"

namespace structkd {

struct IntraClassVariationArgs : LossArgs {
  Plane labels;  // u8, i32 or i64
  Plane mask;    // u8, or not given
  int64_t classes;
};

// A product of two lengths counts as at least this (torch.nn.functional.cosine_similarity).
constexpr double kLeastLengths = 1e-8;

// It stands beside the number of positions of a class, as the public codes have it.
constexpr double kBesideCount = 1e-6;

}  // namespace structkd

#endif  // STRUCTKD_CORE_INTRA_CLASS_VARIATION_ARGS_H
