// core/loss_args.h: what the checked arguments of every loss begin with.
#ifndef STRUCTKD_CORE_LOSS_ARGS_H
#define STRUCTKD_CORE_LOSS_ARGS_H

#include "core/map.h"

namespace structkd {

// The Args of a loss derive from this and add what its params say.
struct LossArgs {
  Map student;
  Map teacher;
  void* loss;      // f64 for f64 inputs, else f32
  Map grad;        // or not given
  bool want_grad;  // known before grad is: the workspace depends on it
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_LOSS_ARGS_H
