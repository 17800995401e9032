// bench/cuda/losses/intra_class_variation.cpp: 19 classes.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_intra_class_variation_params params_of(const Case&, const Arrays& arrays) {
  structkd_intra_class_variation_params params = {};
  params.struct_size = sizeof(params);
  params.num_classes = kLabelClasses;
  params.labels = &arrays.labels;
  return params;
}

}  // namespace

// Both nets are read for the centres and for the similarities, the student once more for what it
// pulls its centres by and for its gradient.
Loss intra_class_variation() {
  Loss loss = loss_with(structkd_intra_class_variation_workspace, structkd_intra_class_variation,
                        params_of);
  loss.bytes = [](const Case& c) {
    return 4 * c.student_bytes() + 2 * c.teacher_bytes() + c.grad_bytes();
  };
  return loss;
}

}  // namespace structkd::bench
