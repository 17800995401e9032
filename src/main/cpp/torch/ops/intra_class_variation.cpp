// torch/ops/intra_class_variation.cpp: the intra-class variation loss as a LibTorch operator.
#include "structkd/intra_class_variation.h"

#include <ATen/TensorOperators.h>

#include "torch/loss_op.h"
#include "torch/ops/labels.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "intra-class variation loss";

// Of a product of two lengths, as torch.nn.functional.cosine_similarity has it; beside the number
// of positions of a class, as the public codes have it.
constexpr double kLeastLengths = 1e-8, kBesideCount = 1e-6;

// The params of a call with their tensors.
struct Arguments {
  Maps maps;
  at::Tensor at_map_size;
  OptionalView labels, mask;
  structkd_intra_class_variation_params params{};

  Arguments(const at::Tensor& student,
            const at::Tensor& teacher,
            const at::Tensor& given_labels,
            const std::optional<at::Tensor>& given_mask,
            int64_t num_classes)
      : maps(kLoss, student, teacher),
        at_map_size(of_size(given_labels, maps.student)),
        labels(maps, "labels", at_map_size),
        mask(maps, "mask", given_mask) {
    params.struct_size = sizeof(params);
    params.num_classes = num_classes;
    params.labels = labels.get();
    params.mask = mask.get();
  }

 private:
  // Maps of another rank are refused by the kernel's own checks.
  static at::Tensor of_size(const at::Tensor& labels, const at::Tensor& map) {
    return map.dim() == 4 ? labels_at(labels, map.size(2), map.size(3)) : labels;
  }
};

at::Tensor intra_class_variation(const at::Tensor& student,
                                 const at::Tensor& teacher,
                                 const at::Tensor& labels,
                                 const std::optional<at::Tensor>& mask,
                                 int64_t num_classes) {
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Arguments arguments(student, teacher, labels, mask, num_classes);
    return call_loss(structkd_intra_class_variation, arguments.maps, arguments.params, want_grad);
  });
}

// The length of each row; its gradient is 0 where the length is 0.
at::Tensor lengths(const at::Tensor& rows) {
  const at::Tensor squares = rows.square().sum(-1), zero = squares == 0;
  return squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0);
}

// From [B, K, N] or [B, K, 1], a number per class, that of each position's own: [B, N].
at::Tensor own(const at::Tensor& per_class, const at::Tensor& members) {
  return (per_class * members.transpose(1, 2)).sum(1);
}

// [B, N], 0 where there is no class, of features [B, C, H, W] and members [B, N, K], 1 where a
// position is of a class. Each position is compared with all centres and takes what is its own, so
// that no centre is written once more for each of its positions.
at::Tensor similarities(const at::Tensor& features, const at::Tensor& members) {
  const at::Tensor taken = members.to(features.scalar_type());
  // What no class has may be NaN, and 0 times NaN would reach all centres.
  const at::Tensor none = (members.sum(2) == 0).unsqueeze(1);
  const at::Tensor used = features.flatten(2).masked_fill(none, 0);  // [B, C, N]
  const at::Tensor counts = taken.sum(1) + kBesideCount;             // [B, K]
  const at::Tensor centres = used.bmm(taken) / counts.unsqueeze(1);  // [B, C, K]
  const at::Tensor products = own(centres.transpose(1, 2).bmm(used), taken);
  const at::Tensor both =
      lengths(used.transpose(1, 2)) * own(lengths(centres.transpose(1, 2)).unsqueeze(2), taken);
  // A zero vector is similar to nothing, and has no direction in which it would be more so.
  return (products / both.clamp_min(kLeastLengths)).masked_fill(both == 0, 0);
}

at::Tensor intra_class_variation_composed(const at::Tensor& student,
                                          const at::Tensor& teacher,
                                          const at::Tensor& labels,
                                          const std::optional<at::Tensor>& mask,
                                          int64_t num_classes) {
  const Arguments arguments(student, teacher, labels, mask, num_classes);
  check_as_kernel(structkd_intra_class_variation_workspace, arguments.maps, arguments.params);
  const ComposedMaps composed(arguments.maps, student);
  const at::Tensor index = arguments.at_map_size.to(at::kLong).flatten(1);  // [B, N]
  at::Tensor has_class = (index >= 0).logical_and(index < num_classes);
  at::Tensor valid;
  if (mask.has_value()) {
    valid = mask->to(at::kBool).flatten(1);
    has_class = has_class.logical_and(valid);
  }
  // An extra class holds positions of none, and is cut off.
  const at::Tensor members =
      at::one_hot(index.masked_fill(has_class.logical_not(), num_classes), num_classes + 1)
          .narrow(2, 0, num_classes);
  const at::Tensor gaps =
      similarities(composed.student, members) - similarities(composed.teacher, members);
  const at::Tensor sum = gaps.square().sum();
  return valid.defined() ? sum / valid.sum().clamp_min(1) : sum / double(index.numel());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  def_loss(library, kLoss, "intra_class_variation", "Tensor labels, Tensor? mask, int num_classes",
           &intra_class_variation, &intra_class_variation_composed);
}

}  // namespace structkd
