// torch/ops/inter_class_similarity.cpp: the inter-class similarity loss as a LibTorch operator: the
// kernel of the published formula, and compositions of it and of what AICSD's code computed at
// three revisions.
#include "structkd/inter_class_similarity.h"

#include <ATen/TensorOperators.h>

#include <limits>

#include "torch/loss_op.h"
#include "torch/names.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "inter-class similarity loss";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The published formula, which has a kernel, and AICSD's revisions f99949e, 7bb3cfa and c97743b.
enum class Mode { kPaper, kHead, k2023March, kWholeMapSymmetric };

constexpr Named<Mode> kModes[] = {
    {"paper", Mode::kPaper},
    {"code_head", Mode::kHead},
    {"code_2023_03", Mode::k2023March},
    {"code_hw_sym", Mode::kWholeMapSymmetric},
};

structkd_inter_class_similarity_params params_of(double temperature, bool row_normalize) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  params.row_normalize = row_normalize;
  return params;
}

// Rows of M [.., K, K] divided by max(their length, 1e-12); one no longer than that has gradient 0.
at::Tensor unit_rows(const at::Tensor& M) {
  constexpr double kRowEps = 1e-12;
  const at::Tensor length = M.norm(2, {-1}, /*keepdim=*/true);
  const at::Tensor is_short = length <= kRowEps;
  return at::where(is_short, M.detach() / kRowEps, M / at::where(is_short, 1, length));
}

// Without one, all pixels are valid.
using Valid = std::optional<at::Tensor>;  // bool [B, 1, N]

// [B, K, K]: M[i, j] = sum_x p_i (log p_i - log p_j), p: softmax over the valid pixels of a class.
at::Tensor divergences(const at::Tensor& logits, const Valid& valid) {
  at::Tensor log_p;
  at::Tensor p;
  if (!valid.has_value()) {
    log_p = at::log_softmax(logits.flatten(2), 2);
    p = log_p.exp();
  } else {
    log_p = at::log_softmax(at::where(*valid, logits.flatten(2), -kInfinity), 2);
    log_p = at::where(*valid, log_p, 0);
    p = at::where(*valid, log_p.exp(), 0);
  }
  const at::Tensor products = at::bmm(p, log_p.transpose(1, 2));
  return products.diagonal(0, 1, 2).unsqueeze(2) - products;
}

at::Tensor paper(const ComposedMaps& maps,
                 const std::optional<at::Tensor>& mask,
                 double temperature,
                 bool row_normalize) {
  Valid valid;
  if (mask.has_value()) valid = mask->to(at::kBool).flatten(1).unsqueeze(1);
  const auto matrix = [&](const at::Tensor& map) {
    const at::Tensor M = divergences(temperature == 1 ? map : map / temperature, valid);
    return row_normalize ? unit_rows(M) : M;
  };
  const at::Tensor s = matrix(maps.student), t = matrix(maps.teacher);
  if (!valid.has_value()) return at::mse_loss(s, t);
  // An image without a valid pixel has matrices of 0 and is not counted.
  const at::Tensor images = valid->any(2).sum().clamp_min(1);
  return at::mse_loss(s, t, at::Reduction::Sum) / (images * (s.size(1) * s.size(2)));
}

// [K, K], one matrix for the batch: M[i, j] = mean_b ( sum_x p_j log p_j - <p_i, p_j> ). The code
// gives probabilities to a KL divergence that expects their logarithms; the symmetric revisions
// compute i <= j only and copy.
at::Tensor code_matrix(const at::Tensor& logits,
                       Mode mode,
                       double temperature,
                       bool row_normalize) {
  const at::Tensor z = logits / temperature;
  const bool columns = mode == Mode::kHead;  // its softmax runs over the height of each column
  const at::Tensor maps = columns ? z : z.flatten(2);
  const at::Tensor log_p = at::log_softmax(maps, 2).flatten(2);
  const at::Tensor p = log_p.exp();
  const at::Tensor entropy = (p * log_p).sum(2).mean(0);  // negative entropy, of each class
  const at::Tensor inner = at::bmm(p, p.transpose(1, 2)).mean(0);
  at::Tensor of_column = entropy.unsqueeze(0).expand_as(inner);
  if (mode != Mode::k2023March) {
    of_column = of_column.triu() + of_column.transpose(0, 1).tril(-1);
  }
  const at::Tensor M = of_column - inner;
  return row_normalize ? M / M.norm(2, {1}, true).clamp_min(1e-12) : M;
}

at::Tensor code(const ComposedMaps& maps, Mode mode, double temperature, bool row_normalize) {
  // It computes in f64: entries are entropies of all pixels, near 3, and where they differ by 0.03
  // the rounding of f32 maps would be 1e-5 of the gradient.
  const auto matrix = [&](const at::Tensor& logits) {
    return code_matrix(logits.to(at::kDouble), mode, temperature, row_normalize);
  };
  const at::Tensor mean = at::mse_loss(matrix(maps.student), matrix(maps.teacher));
  // The matrix is a mean over the batch already; the symmetric revisions divide once more.
  const at::Tensor loss = mode == Mode::k2023March ? mean : mean / maps.student.size(0);
  return loss.to(maps.student.scalar_type());
}

at::Tensor inter_class_similarity_composed(const at::Tensor& student,
                                           const at::Tensor& teacher,
                                           const std::optional<at::Tensor>& mask,
                                           std::string_view mode,
                                           double temperature,
                                           bool row_normalize) {
  const Mode chosen = by_name(kLoss, "mode", kModes, mode);
  auto params = params_of(temperature, row_normalize);
  const Maps maps(kLoss, student, teacher);
  const OptionalView mask_view(maps, "mask", mask);
  params.mask = mask_view.get();
  check_as_kernel(structkd_inter_class_similarity_workspace, maps, params);
  const ComposedMaps composed(maps, student);
  if (chosen == Mode::kPaper) return paper(composed, mask, temperature, row_normalize);
  if (mask.has_value()) {
    raise(STRUCTKD_ERR_VALUE, std::string(kLoss) + ": mode " + std::string(mode) +
                                  " takes no mask, expected one with mode paper only");
  }
  return code(composed, chosen, temperature, row_normalize);
}

at::Tensor inter_class_similarity(const at::Tensor& student,
                                  const at::Tensor& teacher,
                                  const std::optional<at::Tensor>& mask,
                                  std::string_view mode,
                                  double temperature,
                                  bool row_normalize) {
  if (by_name(kLoss, "mode", kModes, mode) != Mode::kPaper) {  // no kernel has these
    return inter_class_similarity_composed(student, teacher, mask, mode, temperature,
                                           row_normalize);
  }
  auto params = params_of(temperature, row_normalize);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView mask_view(maps, "mask", mask);
    params.mask = mask_view.get();
    return call_loss(structkd_inter_class_similarity, maps, params, want_grad);
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "inter_class_similarity",
           "Tensor? mask, str mode, float temperature, bool row_normalize", &inter_class_similarity,
           &inter_class_similarity_composed);
}

}  // namespace structkd
