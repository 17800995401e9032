// bench/cuda/losses/relational.cpp: embeddings as they are; the mode is the relation.
#include "losses.h"

namespace structkd::bench {
namespace {

structkd_relational_params params_of(const Case& c, const Arrays&) {
  structkd_relational_params params = {};
  params.struct_size = sizeof(params);
  if (c.mode == "angle") {
    params.relation = STRUCTKD_RELATION_ANGLE;
  } else if (c.mode == "area") {
    params.relation = STRUCTKD_RELATION_AREA;
  } else if (c.mode.empty()) {
    params.relation = STRUCTKD_RELATION_DISTANCE;
  } else {
    throw unknown_mode(c);
  }
  return params;
}

}  // namespace

Loss relational() {
  Loss loss = loss_with(structkd_relational_workspace, structkd_relational, params_of);
  loss.bytes = [](const Case& c) { return c.student_bytes() + c.teacher_bytes() + c.grad_bytes(); };
  loss.flops = [](const Case& c) {  // distances of both networks and the way back; triples
    const double N = double(c.B * c.pixels());
    const double triples = c.mode == "angle" ? 40 : c.mode == "area" ? 30 : 0;
    return N * N * (4 * double(c.C) + 2 * double(c.Ct)) + triples * N * N * N;
  };
  return loss;
}

}  // namespace structkd::bench
