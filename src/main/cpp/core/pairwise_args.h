// core/pairwise_args.h: checked arguments of the pair-wise loss, as backends receive them.
#ifndef STRUCTKD_CORE_PAIRWISE_ARGS_H
#define STRUCTKD_CORE_PAIRWISE_ARGS_H

#include "core/loss_args.h"
#include "structkd/pairwise.h"

namespace structkd {

struct PairwiseArgs : LossArgs {
  Plane weights;  // f32, or not given
  structkd_norm_gradient norm;
  structkd_eps_mode eps_mode;
  structkd_pairs pairs;
  structkd_precision precision;
  structkd_compare compare;
  structkd_reduction reduction;
  double eps;
  double* kappa;  // or nullptr
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_PAIRWISE_ARGS_H
