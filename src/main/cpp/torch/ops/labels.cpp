// torch/ops/labels.cpp: labels at the size of a map as a LibTorch operator.
#include "torch/ops/labels.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/library.h>

#include "torch/call.h"
#include "torch/errors.h"

namespace structkd {

at::Tensor labels_at(const at::Tensor& labels, int64_t height, int64_t width) {
  constexpr char kWhere[] = "labels_at";
  at::Tensor result = plain(kWhere, "labels", labels);
  const at::ScalarType dtype = labels.scalar_type();
  if (!at::isIntegralType(dtype, /*includeBool=*/true)) {
    raise(STRUCTKD_ERR_DTYPE, std::string(kWhere) + ": labels has element type " +
                                  c10::toString(dtype) + ", expected integers");
  }
  if (labels.dim() != 3 || labels.numel() == 0 || height < 1 || width < 1) {
    raise(STRUCTKD_ERR_SHAPE, std::string(kWhere) + ": labels has rank " +
                                  std::to_string(labels.dim()) + " and " +
                                  std::to_string(labels.numel()) +
                                  " elements, expected [batch, height, width] of at least one, "
                                  "and a map of at least one position");
  }
  // The types that kernels read; the others are few and small.
  if (dtype != at::kByte && dtype != at::kInt && dtype != at::kLong) result = result.to(at::kLong);
  for (const auto& [axis, size] : {std::pair<int64_t, int64_t>{1, height}, {2, width}}) {
    if (result.size(axis) == size) continue;
    // Integers are exact: LibTorch's own interpolation has an f32 that can miss a boundary.
    const at::Tensor source = at::arange(size, at::TensorOptions(at::kLong).device(labels.device()))
                                  .mul(result.size(axis))
                                  .div(size, "floor");
    result = result.index_select(axis, source);
  }
  return result;
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def("labels_at(Tensor labels, int height, int width) -> Tensor", &labels_at);
}

}  // namespace structkd
