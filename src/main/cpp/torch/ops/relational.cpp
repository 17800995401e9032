// torch/ops/relational.cpp: the relational loss as a LibTorch operator.
#include "structkd/relational.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "core/relational_terms.h"
#include "torch/loss_op.h"
#include "torch/names.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "relational loss";

constexpr Named<structkd_relation> kRelations[] = {
    {"distance", STRUCTKD_RELATION_DISTANCE},
    {"angle", STRUCTKD_RELATION_ANGLE},
    {"area", STRUCTKD_RELATION_AREA},
};

structkd_relational_params params_of(std::string_view relation, bool normalize) {
  structkd_relational_params params{};
  params.struct_size = sizeof(params);
  params.relation = by_name(kLoss, "relation", kRelations, relation);
  params.normalize = normalize;
  return params;
}

at::Tensor relational(const at::Tensor& student,
                      const at::Tensor& teacher,
                      std::string_view relation,
                      bool normalize) {
  const auto params = params_of(relation, normalize);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    return call_loss(structkd_relational, maps, params, want_grad);
  });
}

// Embeddings [N, C] of a map [B, C, H, W], as they are compared.
at::Tensor embeddings_of(const at::Tensor& map, bool normalize) {
  const at::Tensor rows = map.permute({0, 2, 3, 1}).flatten(0, 2);
  if (!normalize) return rows;
  const at::Tensor length = rows.norm(2, {1}, /*keepdim=*/true);
  const at::Tensor none = length <= kLeastLength;
  return at::where(none, rows.detach() / kLeastLength, rows / at::where(none, 1.0, length));
}

at::Tensor distances(const at::Tensor& apart, int64_t N) {
  const at::Tensor d = apart.square().sum(2).clamp_min(kLeastSquare).sqrt();
  const at::Tensor positive = d * (1 - at::eye(N, d.options()));
  return positive / (positive.sum() / relations(STRUCTKD_RELATION_DISTANCE, double(N)));
}

// psi[i, j, k]
at::Tensor angles(const at::Tensor& apart) {
  const at::Tensor length = apart.norm(2, {2}, /*keepdim=*/true);
  const double infinity = std::numeric_limits<double>::infinity();
  const at::Tensor units = apart / at::where(length <= kLeastLength, infinity, length);
  return at::bmm(units, units.transpose(1, 2));
}

at::Tensor areas(const at::Tensor& apart, int64_t N) {
  const at::Tensor squares = apart.square().sum(2),
                   products = at::bmm(apart, apart.transpose(1, 2));
  const at::Tensor x = squares.unsqueeze(2), y = squares.unsqueeze(1), z = squares.unsqueeze(0);
  const at::Tensor square = x * y - products.square();
  const at::Tensor flat = (square <= kLeastSquare) | (square <= kFlat * (x + y + z).square());
  const at::Tensor different = 1 - at::eye(N, apart.options());
  const at::Tensor three = different.unsqueeze(2) * different.unsqueeze(1) * different.unsqueeze(0);
  const at::Tensor positive = at::where(flat, kLeastSquare, square).sqrt() * three;
  return positive / (positive.sum() / (6 * relations(STRUCTKD_RELATION_AREA, double(N))));
}

at::Tensor psi_of(const at::Tensor& embeddings, structkd_relation relation) {
  const int64_t N = embeddings.size(0);
  const at::Tensor apart = embeddings.unsqueeze(0) - embeddings.unsqueeze(1);  // [i, j]: e_j - e_i
  if (relation == STRUCTKD_RELATION_DISTANCE) return distances(apart, N);
  if (relation == STRUCTKD_RELATION_ANGLE) return angles(apart);
  return areas(apart.to(at::kDouble), N);  // in f32 rounding would leave areas of flat triangles
}

at::Tensor relational_composed(const at::Tensor& student,
                               const at::Tensor& teacher,
                               std::string_view relation,
                               bool normalize) {
  const auto params = params_of(relation, normalize);
  const Maps given(kLoss, student, teacher);
  check_as_kernel(structkd_relational_workspace, given, params);
  const ComposedMaps maps(given, student);
  const at::Tensor s = embeddings_of(maps.student, normalize);
  if (s.size(0) < 3) return s.sum() * 0;
  const at::Tensor loss = at::huber_loss(
      psi_of(s, params.relation), psi_of(embeddings_of(maps.teacher, normalize), params.relation));
  return loss.to(s.scalar_type());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "relational", "str relation, bool normalize", &relational,
           &relational_composed);
}

}  // namespace structkd
