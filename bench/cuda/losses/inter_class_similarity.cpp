// bench/cuda/losses/inter_class_similarity.cpp: the loss as published.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_inter_class_similarity_params params_of(const Case&, const Arrays&) {
  structkd_inter_class_similarity_params params = {};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  return params;
}

}  // namespace

Loss inter_class_similarity() {
  Loss loss = loss_with(structkd_inter_class_similarity_workspace, structkd_inter_class_similarity,
                        params_of);
  loss.bytes = [](const Case& c) {  // matrices of both, then the gradient from the student
    return 2 * c.student_bytes() + c.teacher_bytes() + c.grad_bytes();
  };
  loss.flops = [](const Case& c) {  // A_S, A_T, and two products of the gradient
    return double(c.B) * 8 * double(c.pixels()) * double(c.C) * double(c.C);
  };
  return loss;
}

}  // namespace structkd::bench
