// torch/ops/cross_image_relation.cpp: the cross-image relation loss as a LibTorch operator.
#include "structkd/cross_image_relation.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "torch/loss_op.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "cross-image relation loss";

structkd_cross_image_relation_params params_of(double temperature, double eps) {
  structkd_cross_image_relation_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  params.eps = eps;
  return params;
}

at::Tensor cross_image_relation(const at::Tensor& student,
                                const at::Tensor& teacher,
                                double temperature,
                                double eps) {
  const auto params = params_of(temperature, eps);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    return call_loss(structkd_cross_image_relation, maps, params, want_grad);
  });
}

// [B N, B, N]: log softmax of each node's cosines over the nodes of each image. A node with |f| <=
// eps is divided by infinity: it and its gradient become 0.
at::Tensor log_relations(const at::Tensor& map, double temperature, double eps) {
  const int64_t B = map.size(0), N = map.size(2) * map.size(3);
  const at::Tensor nodes = map.flatten(2).transpose(1, 2).flatten(0, 1);
  const at::Tensor norm = nodes.norm(2, {1}, /*keepdim=*/true);
  const at::Tensor unit =
      nodes / at::where(norm <= eps, std::numeric_limits<double>::infinity(), norm);
  const at::Tensor cosines = at::mm(unit, unit.t()).view({B * N, B, N});
  return at::log_softmax(cosines / temperature, 2);
}

at::Tensor cross_image_relation_composed(const at::Tensor& student,
                                         const at::Tensor& teacher,
                                         double temperature,
                                         double eps) {
  const Maps maps(kLoss, student, teacher);
  check_as_kernel(structkd_cross_image_relation_workspace, maps, params_of(temperature, eps));
  const ComposedMaps composed(maps, student);
  const at::Tensor log_s = log_relations(composed.student, temperature, eps);
  const at::Tensor log_t = log_relations(composed.teacher, temperature, eps);
  const at::Tensor sum = at::kl_div(log_s, log_t, at::Reduction::Sum, /*log_target=*/true);
  return sum / double(log_s.size(0) * log_s.size(1));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "cross_image_relation", "float temperature, float eps",
           &cross_image_relation, &cross_image_relation_composed);
}

}  // namespace structkd
