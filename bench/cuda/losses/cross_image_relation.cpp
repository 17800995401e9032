// bench/cuda/losses/cross_image_relation.cpp: all positions, temperature 0.1.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_cross_image_relation_params params_of(const Case&, const Arrays&) {
  structkd_cross_image_relation_params params = {};
  params.struct_size = sizeof(params);
  params.temperature = 0.1;
  params.eps = 1e-12;
  return params;
}

}  // namespace

Loss cross_image_relation() {
  Loss loss =
      loss_with(structkd_cross_image_relation_workspace, structkd_cross_image_relation, params_of);
  loss.bytes = [](const Case& c) {  // sums, then the gradient: both maps twice
    return 2 * c.student_bytes() + 2 * c.teacher_bytes() + c.grad_bytes();
  };
  loss.flops = [](const Case& c) {  // cosines, half of them, twice; the gradient's product
    const double nodes = double(c.B) * double(c.nodes());
    return nodes * nodes * (2.0 * (double(c.C) + double(c.Ct)) + 2.0 * double(c.C));
  };
  return loss;
}

}  // namespace structkd::bench
