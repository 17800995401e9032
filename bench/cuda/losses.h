// bench/cuda/losses.h: the C API's call of each case. The same function computes what is measured
// and, on the CPU, what it is compared with.
#ifndef STRUCTKD_BENCH_LOSSES_H
#define STRUCTKD_BENCH_LOSSES_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cases.h"

namespace structkd::bench {

// All that a call reads and writes, in the memory of one backend. Which of them a loss has follows
// from the case.
struct Arrays {
  structkd_tensor student = {}, teacher = {}, labels = {};
  structkd_tensor indices = {},
                  counts = {};  // inputs of a loss on drawn pixels, outputs of drawing
  const int64_t* step = nullptr;
  void* loss = nullptr;
  structkd_tensor grad = {};
};

// A tensor over memory of the caller: [B, C, H, W] or a dense one of lower rank.
structkd_tensor tensor_of(void* data,
                          structkd_dtype dtype,
                          const std::vector<int64_t>& sizes,
                          bool channels_last = false);

// Throw a std::runtime_error with the library's sentence.
size_t workspace_bytes(const Case& c, const structkd_ctx& ctx, const Arrays& arrays);
void call(const Case& c, const structkd_ctx& ctx, Arrays& arrays, void* workspace);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_LOSSES_H
