// core/inter_class_similarity_args.h: checked arguments of the inter-class similarity loss, as
// backends receive them.
#ifndef STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H
#define STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H

#include "core/loss_args.h"
#include "structkd/inter_class_similarity.h"

namespace structkd {

struct InterClassSimilarityArgs : LossArgs {
  Plane mask;  // u8, or not given
  bool row_normalize;
  double temperature;
};

// A row of M this short, or shorter, is divided by this (torch.nn.functional.normalize).
constexpr double kRowEps = 1e-12;

}  // namespace structkd

#endif  // STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H
