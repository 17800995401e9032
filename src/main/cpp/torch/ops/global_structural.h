// torch/ops/global_structural.h: what the operators of GSSKD share.
#ifndef STRUCTKD_TORCH_OPS_GLOBAL_STRUCTURAL_H
#define STRUCTKD_TORCH_OPS_GLOBAL_STRUCTURAL_H

#include <ATen/core/Tensor.h>

#include <optional>

#include "structkd/global_structural.h"

namespace structkd {

// How a group of student and teacher is compared; only the first has a kernel.
enum class GroupComparison { kGroupDivergence, kRowDivergence, kDescriptorRelation };

// The memory of a step, where a kernel reads it: a graph that was captured finds another one at
// each replay. Refuses what is not one Long beside the map.
const int64_t* step_of(const char* loss,
                       const at::Tensor& step,
                       const char* map_argument,
                       const at::Tensor& map);

// The loss composed of LibTorch's operators, of maps in the type that it computes in, on the same
// samples and permutations as the kernel; of params only numbers are read, and those that the
// comparison knows. Waits for counts and step.
at::Tensor compose_global_structural(GroupComparison comparison,
                                     const at::Tensor& student,
                                     const at::Tensor& teacher,
                                     const std::optional<at::Tensor>& indices,
                                     const std::optional<at::Tensor>& counts,
                                     const std::optional<at::Tensor>& permutation,
                                     const structkd_global_structural_params& params,
                                     const at::Tensor& step);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_OPS_GLOBAL_STRUCTURAL_H
