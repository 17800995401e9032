// core/pairwise_args.h: checked arguments of the pair-wise loss, as backends receive them.
#ifndef STRUCTKD_CORE_PAIRWISE_ARGS_H
#define STRUCTKD_CORE_PAIRWISE_ARGS_H

#include "core/map.h"
#include "structkd/pairwise.h"

namespace structkd {

struct PairwiseArgs {
  Map student;
  Map teacher;
  Plane weights;  // f32, or not given
  structkd_norm_gradient norm;
  structkd_eps_mode eps_mode;
  structkd_pairs pairs;
  structkd_precision precision;
  double eps;
  void* loss;      // f64 for f64 inputs, else f32
  double* kappa;   // or nullptr
  Map grad;        // or not given
  bool want_grad;  // known before grad is: the workspace depends on it
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_PAIRWISE_ARGS_H
