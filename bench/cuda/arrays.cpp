// bench/cuda/arrays.cpp: views of a case's memory.
#include "arrays.h"

namespace structkd::bench {

structkd_tensor tensor_of(void* data,
                          structkd_dtype dtype,
                          const std::vector<int64_t>& sizes,
                          bool channels_last) {
  structkd_tensor tensor = {};
  tensor.data = data;
  tensor.dtype = dtype;
  tensor.rank = int32_t(sizes.size());
  for (int d = 0; d < tensor.rank; ++d) tensor.sizes[d] = sizes[size_t(d)];
  constexpr int kChannelsInnermost[] = {0, 2, 3, 1};
  int64_t stride = 1;
  for (int i = tensor.rank - 1; i >= 0; --i) {
    const int d = channels_last ? kChannelsInnermost[i] : i;
    tensor.strides[d] = stride;
    stride *= tensor.sizes[d];
  }
  return tensor;
}

Arrays arrays_of(const Case& c, const Memory& memory) {
  Arrays a;
  a.teacher = tensor_of(memory.teacher, c.dtype, {c.B, c.Ct, c.H, c.W}, c.channels_last);
  a.step = static_cast<const int64_t*>(memory.step);
  if (c.has_indices()) {
    a.indices = tensor_of(memory.indices, STRUCTKD_I32, {c.B, c.max_samples()});
    a.counts = tensor_of(memory.counts, STRUCTKD_I32, {c.B, 2});
  }
  a.labels = tensor_of(memory.labels, STRUCTKD_I64, {c.B, c.H, c.W});
  if (c.draws()) return a;
  a.student = tensor_of(memory.student, c.dtype, {c.B, c.C, c.H, c.W}, c.channels_last);
  a.grad = tensor_of(memory.grad, c.grad_dtype(), {c.B, c.C, c.H, c.W}, c.channels_last);
  a.loss = memory.loss;
  return a;
}

}  // namespace structkd::bench
