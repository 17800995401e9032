// torch/ops/inter_class_similarity.cpp: the inter-class similarity loss as LibTorch operators: the
// kernel of the published formula, and compositions of what AICSD's code computed at three
// revisions.
#include "structkd/inter_class_similarity.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/library.h>

#include "torch/call.h"
#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "inter-class similarity loss";

// AICSD's revisions, in the order of org.structkd.loss.InterClassSimilarityLoss.Mode without PAPER.
enum class Code : int64_t { kHead, k2023March, kWholeMapSymmetric };

// [K, K], one matrix for the batch: M[i, j] = mean_b ( sum_x p_j log p_j - <p_i, p_j> ). The code
// gives probabilities to a KL divergence that expects their logarithms; the symmetric revisions
// compute i <= j only and copy.
at::Tensor code_matrix(const at::Tensor& logits,
                       Code code,
                       double temperature,
                       bool row_normalize) {
  const at::Tensor z = logits / temperature;
  const bool columns = code == Code::kHead;  // its softmax runs over the height of each column
  const at::Tensor maps = columns ? z : z.flatten(2);
  const at::Tensor log_p = at::log_softmax(maps, 2).flatten(2);
  const at::Tensor p = log_p.exp();
  const at::Tensor entropy = (p * log_p).sum(2).mean(0);  // negative entropy, of each class
  const at::Tensor inner = at::bmm(p, p.transpose(1, 2)).mean(0);
  at::Tensor of_column = entropy.unsqueeze(0).expand_as(inner);
  if (code != Code::k2023March) {
    of_column = of_column.triu() + of_column.transpose(0, 1).tril(-1);
  }
  const at::Tensor M = of_column - inner;
  return row_normalize ? M / M.norm(2, {1}, true).clamp_min(1e-12) : M;
}

}  // namespace

at::Tensor inter_class_similarity(const at::Tensor& student,
                                  const at::Tensor& teacher,
                                  const std::optional<at::Tensor>& mask,
                                  double temperature,
                                  bool row_normalize) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  params.row_normalize = row_normalize;
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView mask_view(maps, "mask", mask);
    params.mask = mask_view.get();
    return call_loss(structkd_inter_class_similarity, maps, params, want_grad);
  });
}

at::Tensor inter_class_similarity_code(const at::Tensor& student,
                                       const at::Tensor& teacher,
                                       int64_t code,
                                       double temperature,
                                       bool row_normalize) {
  const bool is_double = common_dtype(kLoss, student, teacher) == at::kDouble;
  if (student.dim() != 4 || student.sizes() != teacher.sizes()) {
    raise(STRUCTKD_ERR_SHAPE,
          std::string(kLoss) + ": student and teacher must have one shape [B, K, H, W]");
  }
  if (code < 0 || code > int64_t(Code::kWholeMapSymmetric)) {
    raise(STRUCTKD_ERR_VALUE,
          std::string(kLoss) + ": code is " + std::to_string(code) + ", expected 0 to 2");
  }
  // In f64: entries are entropies of all pixels, near 3, and where they differ by 0.03 the rounding
  // of f32 maps would be 1e-5 of the gradient.
  const auto matrix = [&](const at::Tensor& logits) {
    return code_matrix(logits.to(at::kDouble), Code(code), temperature, row_normalize);
  };
  const at::Tensor mean = at::mse_loss(matrix(student), matrix(teacher.detach()));
  // The matrix is a mean over the batch already; the symmetric revisions divide once more.
  const at::Tensor loss = Code(code) == Code::k2023March ? mean : mean / student.size(0);
  return is_double ? loss : loss.to(at::kFloat);
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def(
      "inter_class_similarity(Tensor student, Tensor teacher, Tensor? mask, float temperature, "
      "bool row_normalize) -> Tensor",
      &inter_class_similarity);
  library.def(
      "inter_class_similarity_code(Tensor student, Tensor teacher, int code, float temperature, "
      "bool row_normalize) -> Tensor",
      &inter_class_similarity_code);
}

}  // namespace structkd
