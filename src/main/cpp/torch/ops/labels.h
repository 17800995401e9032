// torch/ops/labels.h: labels at the size of a map: one rule for all losses.
#ifndef STRUCTKD_TORCH_OPS_LABELS_H
#define STRUCTKD_TORCH_OPS_LABELS_H

#include <ATen/core/Tensor.h>

namespace structkd {

// Labels [B, H', W'] of any integer type at the size of a map, by the nearest neighbour: target
// (h, w) takes source (floor(h H' / height), floor(w W' / width)). Byte, Int and Long keep their
// type, others become Long.
at::Tensor labels_at(const at::Tensor& labels, int64_t height, int64_t width);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_OPS_LABELS_H
