// torch/gradients.cpp: one number about all gradients, or all buffers, of a network, for a check
// before each step.
#include <ATen/Functions.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "torch/structkd_ops.h"

namespace structkd {
namespace {

// The largest absolute value in memory of the CPU. Without their sign, floats are ordered as the
// integers of the same bits, NaN above infinity: so one loop finds either, and it is vectorised.
template <typename Float, typename Bits>
double largest_in_memory(const at::Tensor& dense) {
  constexpr Bits kMagnitude = Bits(~Bits(0)) >> 1;
  const Bits* bits = static_cast<const Bits*>(dense.data_ptr());
  Bits largest = 0;
  for (int64_t i = 0, n = dense.numel(); i < n; ++i) {
    const Bits magnitude = bits[i] & kMagnitude;
    largest = magnitude > largest ? magnitude : largest;
  }
  Float value;
  std::memcpy(&value, &largest, sizeof(value));
  return double(value);
}

double largest_on_cpu(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous();
  switch (dense.scalar_type()) {
    case at::kHalf:
      return largest_in_memory<at::Half, uint16_t>(dense);
    case at::kBFloat16:
      return largest_in_memory<at::BFloat16, uint16_t>(dense);
    case at::kFloat:
      return largest_in_memory<float, uint32_t>(dense);
    case at::kDouble:
      return largest_in_memory<double, uint64_t>(dense);
    default:
      return dense.abs().max().item<double>();
  }
}

// The largest number of a floating type.
double largest_of(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return std::numeric_limits<at::Half>::max();
    case at::kDouble:
      return std::numeric_limits<double>::max();
    default:  // bf16 reaches as far as f32
      return std::numeric_limits<float>::max();
  }
}

// Raises the largest value so far to this one, in units of the root of its type's largest number.
// NaN is above all.
void raise_to(double* largest, double value, at::ScalarType type) {
  const double relative = value / std::sqrt(largest_of(type));
  if (!(relative <= *largest)) *largest = relative;
}

bool stand_together(const at::Tensor& one, const at::Tensor& other) {
  return one.scalar_type() == other.scalar_type() && one.device() == other.device();
}

}  // namespace

double largest_gradient(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters) {
    at::Tensor grad = parameter.grad();
    if (grad.defined() && grad.is_sparse()) grad = grad.coalesce().values();
    if (grad.defined()) gradients.push_back(grad);
  }
  return largest_value(gradients);
}

double largest_value(const std::vector<at::Tensor>& tensors) {
  double largest = 0;
  std::vector<at::Tensor> left;  // those of devices
  for (const at::Tensor& tensor : tensors) {
    if (!at::isFloatingType(tensor.scalar_type()) || tensor.numel() == 0) continue;
    if (!tensor.is_cpu()) {
      left.push_back(tensor);
    } else {
      raise_to(&largest, largest_on_cpu(tensor), tensor.scalar_type());
      if (std::isnan(largest)) return largest;
    }
  }
  // One pass, and one wait, for each combination of type and device: usually one.
  while (!left.empty() && !std::isnan(largest)) {
    std::vector<at::Tensor> group, others;
    for (const at::Tensor& tensor : left) {
      (stand_together(tensor, left.front()) ? group : others).push_back(tensor);
    }
    const at::Tensor norms = at::stack(
        at::_foreach_norm(group, std::numeric_limits<double>::infinity()));  // NaN comes through
    raise_to(&largest, norms.max().item<double>(), norms.scalar_type());
    left = std::move(others);
  }
  return largest;
}

}  // namespace structkd
