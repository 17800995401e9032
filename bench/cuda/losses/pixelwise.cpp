// bench/cuda/losses/pixelwise.cpp: KL with the teacher in front, a mean over pixels.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_pixelwise_params params_of(const Case&, const Arrays&) {
  structkd_pixelwise_params params = {};
  params.struct_size = sizeof(params);
  params.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  params.divisor = STRUCTKD_DIVISOR_PIXELS;
  params.temperature = 1.0;
  return params;
}

}  // namespace

Loss pixelwise() {
  Loss loss = loss_with(structkd_pixelwise_workspace, structkd_pixelwise, params_of);
  loss.bytes = [](const Case& c) { return c.student_bytes() + c.teacher_bytes() + c.grad_bytes(); };
  return loss;
}

}  // namespace structkd::bench
