// torch/ops/pairwise.cpp: the pair-wise loss as a LibTorch operator.
#include "structkd/pairwise.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "torch/loss_op.h"
#include "torch/names.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pair-wise loss";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr Named<structkd_norm_gradient> kNorms[] = {
    {"detached", STRUCTKD_NORM_DETACHED},
    {"differentiable", STRUCTKD_NORM_DIFFERENTIABLE},
};
constexpr Named<structkd_eps_mode> kEpsModes[] = {
    {"add", STRUCTKD_EPS_ADD},
    {"max", STRUCTKD_EPS_MAX},
};
constexpr Named<structkd_pairs> kPairs[] = {
    {"per_image", STRUCTKD_PAIRS_PER_IMAGE},
    {"whole_batch", STRUCTKD_PAIRS_WHOLE_BATCH},
};
constexpr Named<structkd_precision> kPrecisions[] = {
    {"exact", STRUCTKD_PRECISION_EXACT},
    {"fast", STRUCTKD_PRECISION_FAST},
};
constexpr Named<structkd_compare> kCompares[] = {
    {"squared", STRUCTKD_COMPARE_SQUARED},
    {"l1", STRUCTKD_COMPARE_L1},
};
constexpr Named<structkd_reduction> kReductions[] = {
    {"mean", STRUCTKD_REDUCTION_MEAN},
    {"sum", STRUCTKD_REDUCTION_SUM},
};

structkd_pairwise_params params_of(std::string_view norm,
                                   std::string_view eps_mode,
                                   double eps,
                                   std::string_view pairs,
                                   std::string_view precision,
                                   std::string_view compare,
                                   std::string_view reduction) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.norm = by_name(kLoss, "norm", kNorms, norm);
  params.eps_mode = by_name(kLoss, "eps_mode", kEpsModes, eps_mode);
  params.eps = eps;
  params.pairs = by_name(kLoss, "pairs", kPairs, pairs);
  params.precision = by_name(kLoss, "precision", kPrecisions, precision);
  params.compare = by_name(kLoss, "compare", kCompares, compare);
  params.reduction = by_name(kLoss, "reduction", kReductions, reduction);
  return params;
}

// Maps, weights and params of a call of the C API.
struct Call {
  const Maps maps;
  const OptionalView weights;
  structkd_pairwise_params params;

  Call(const at::Tensor& student,
       const at::Tensor& teacher,
       const std::optional<at::Tensor>& given,
       const structkd_pairwise_params& chosen)
      : maps(kLoss, student, teacher), weights(maps, "weights", in_f32(given)), params(chosen) {
    params.weights = weights.get();
  }

  static std::optional<at::Tensor> in_f32(const std::optional<at::Tensor>& given) {
    if (!given.has_value()) return given;
    return plain(kLoss, "weights", *given).to(at::kFloat);
  }
};

at::Tensor pairwise(const at::Tensor& student,
                    const at::Tensor& teacher,
                    const std::optional<at::Tensor>& weights,
                    std::string_view norm,
                    std::string_view eps_mode,
                    double eps,
                    std::string_view pairs,
                    std::string_view precision,
                    std::string_view compare,
                    std::string_view reduction) {
  const auto params = params_of(norm, eps_mode, eps, pairs, precision, compare, reduction);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Call call(student, teacher, weights, params);
    return call_loss(structkd_pairwise, call.maps, call.params, want_grad);
  });
}

// F64 scalar beside the student.
at::Tensor pairwise_condition_number(const at::Tensor& student,
                                     const at::Tensor& teacher,
                                     const std::optional<at::Tensor>& weights,
                                     std::string_view norm,
                                     std::string_view eps_mode,
                                     double eps,
                                     std::string_view pairs,
                                     std::string_view compare) {
  Call call(student, teacher, weights,
            params_of(norm, eps_mode, eps, pairs, "exact", compare, "mean"));
  const at::Tensor kappa = at::empty({}, call.maps.student.options().dtype(at::kDouble));
  call.params.kappa = kappa.data_ptr<double>();
  call_loss(structkd_pairwise, call.maps, call.params, /*want_grad=*/false);
  return kappa;
}

// Nodes of a map [B, C, H, W]: [B, C, N], or [1, C, B N] where pairs span the batch.
at::Tensor nodes_of(const at::Tensor& map, structkd_pairs pairs) {
  if (pairs == STRUCTKD_PAIRS_PER_IMAGE) return map.flatten(2);
  return map.transpose(0, 1).flatten(1).unsqueeze(0);
}

// Affinities [G, N, N] of nodes [G, C, N]. A node with |f| <= eps is divided by infinity: it and
// its gradient become 0.
at::Tensor affinities(const at::Tensor& nodes, const structkd_pairwise_params& params) {
  at::Tensor norm = nodes.norm(2, {1}, /*keepdim=*/true);
  if (params.norm == STRUCTKD_NORM_DETACHED) norm = norm.detach();
  const at::Tensor length = params.eps_mode == STRUCTKD_EPS_ADD ? norm + params.eps : norm;
  const at::Tensor unit = nodes / at::where(norm <= params.eps, kInfinity, length);
  return at::bmm(unit.transpose(1, 2), unit);
}

at::Tensor pairwise_composed(const at::Tensor& student,
                             const at::Tensor& teacher,
                             const std::optional<at::Tensor>& weights,
                             std::string_view norm,
                             std::string_view eps_mode,
                             double eps,
                             std::string_view pairs,
                             std::string_view precision,
                             std::string_view compare,
                             std::string_view reduction) {
  const Call call(student, teacher, weights,
                  params_of(norm, eps_mode, eps, pairs, precision, compare, reduction));
  check_as_kernel(structkd_pairwise_workspace, call.maps, call.params);
  const ComposedMaps maps(call.maps, student);
  at::Tensor s = nodes_of(maps.student, call.params.pairs);
  at::Tensor t = nodes_of(maps.teacher, call.params.pairs);
  const bool l1 = call.params.compare == STRUCTKD_COMPARE_L1;
  const bool sum = call.params.reduction == STRUCTKD_REDUCTION_SUM;
  if (!weights.has_value()) {
    return (l1 ? at::l1_loss : at::mse_loss)(affinities(s, call.params), affinities(t, call.params),
                                             sum ? at::Reduction::Sum : at::Reduction::Mean);
  }
  const at::Tensor w =
      nodes_of(Call::in_f32(weights)->unsqueeze(1).to(s.scalar_type()), call.params.pairs);
  s = at::where(w == 0, 0, s);  // whatever such a node holds
  t = at::where(w == 0, 0, t);
  const at::Tensor gaps = affinities(s, call.params) - affinities(t, call.params);
  const at::Tensor summands = l1 ? gaps.abs() : gaps.square();
  const at::Tensor sums = at::bmm(at::bmm(w, summands), w.transpose(1, 2)).flatten();
  if (sum) return sums.sum();
  const at::Tensor total = w.sum({1, 2}).square();
  return (sums / at::where(total == 0, kInfinity, total)).mean();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "pairwise",
           "Tensor? weights, str norm, str eps_mode, float eps, str pairs, str precision, str "
           "compare, str reduction",
           &pairwise, &pairwise_composed);
  library.def(
      "pairwise_condition_number(Tensor student, Tensor teacher, Tensor? weights, str norm, str "
      "eps_mode, float eps, str pairs, str compare) -> Tensor",
      &pairwise_condition_number);
}

}  // namespace structkd
