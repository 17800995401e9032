// torch/pool.h: reused CPU memory for workspaces and gradients.
//
// Fresh memory of more than 32 MB comes from the kernel page by page, and a fault per 4 KB can cost
// more than the loss itself. Blocks that die are therefore kept, up to kMaxIdleBytes in all, and
// given to the next request that they fit.
#ifndef STRUCTKD_TORCH_POOL_H
#define STRUCTKD_TORCH_POOL_H

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "structkd/core.h"

namespace structkd {

// Idle memory that the pool keeps at most; a block that would exceed it is freed at once. Enough
// for the gradients of two [8, 512, 64, 64] f32 maps, small beside the activations that come with
// them.
constexpr size_t kMaxIdleBytes = size_t(256) << 20;

// An uninitialised dense CPU tensor over pooled memory, which goes back when the last tensor over
// it dies. Thread-safe.
at::Tensor pooled_empty(at::IntArrayRef sizes, at::ScalarType dtype);

// Frees all idle blocks, and gives what malloc holds free back to the system.
STRUCTKD_API void release_pool();

// Bytes that are idle now, and kMaxIdleBytes.
STRUCTKD_API int64_t pool_idle_bytes();
STRUCTKD_API int64_t pool_max_idle_bytes();

}  // namespace structkd

#endif  // STRUCTKD_TORCH_POOL_H
