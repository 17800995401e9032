// core/inter_class_similarity_args.h: checked arguments of the inter-class similarity loss, as
// backends receive them.
#ifndef STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H
#define STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H

#include "core/map.h"
#include "structkd/inter_class_similarity.h"

namespace structkd {

struct InterClassSimilarityArgs {
  Map student;
  Map teacher;
  Plane mask;  // u8, or not given
  bool row_normalize;
  structkd_precision precision;
  double temperature;
  void* loss;      // f64 for f64 inputs, else f32
  Map grad;        // or not given
  bool want_grad;  // known before grad is: the workspace depends on it
};

// A row of M this short, or shorter, is divided by this (torch.nn.functional.normalize).
constexpr double kRowEps = 1e-12;

}  // namespace structkd

#endif  // STRUCTKD_CORE_INTER_CLASS_SIMILARITY_ARGS_H
