// bench/cuda/losses/global_structural.cpp: eight groups of columns, another permutation in every
// row, of rows that were gathered before or of drawn pixels.
#include "losses.h"

namespace structkd::bench {
namespace {

const structkd_tensor* given(const structkd_tensor& tensor) {
  return tensor.data != nullptr ? &tensor : nullptr;
}

structkd_global_structural_params params_of(const Case& c, const Arrays& arrays) {
  structkd_global_structural_params params = {};
  params.struct_size = sizeof(params);
  params.normalize = 1;
  params.group_width = c.nodes() / 8;
  params.temperature = 1.0;
  params.eps = 1e-8;
  params.classes = 1;
  params.indices = given(arrays.indices);
  params.counts = given(arrays.counts);
  params.seed = kSeed;
  params.step = arrays.step;
  return params;
}

}  // namespace

Loss global_structural() {
  Loss loss =
      loss_with(structkd_global_structural_workspace, structkd_global_structural, params_of);
  loss.bytes = [](const Case& c) {
    const double rows = double(c.B * c.nodes() * (c.C + c.Ct));
    return rows * double(dtype_size(c.dtype)) + c.grad_bytes();
  };
  loss.flops = [](const Case& c) {  // half of V_S and of V_T, and the gradient's product
    const double M = double(c.nodes());
    return double(c.B) * M * M * double(3 * c.C + c.Ct);
  };
  return loss;
}

}  // namespace structkd::bench
