// bench/cuda/arrays.h: all that a call of a case reads and writes.
#ifndef STRUCTKD_BENCH_ARRAYS_H
#define STRUCTKD_BENCH_ARRAYS_H

#include <vector>

#include "cases.h"

namespace structkd::bench {

// Classes that labels of positions have: those of Cityscapes.
constexpr int64_t kLabelClasses = 19;

// Where the arrays of a case lie, on a device or on the CPU.
struct Memory {
  void *student, *teacher, *labels, *indices, *counts, *step, *loss, *grad;
};

// Views of them. Which of them a case has follows from it; the others have no data.
struct Arrays {
  structkd_tensor student = {}, teacher = {}, labels = {};
  // Inputs of a loss on drawn pixels, outputs of drawing.
  structkd_tensor indices = {}, counts = {};
  const int64_t* step = nullptr;
  void* loss = nullptr;
  structkd_tensor grad = {};
};

Arrays arrays_of(const Case& c, const Memory& memory);

// A dense tensor over memory of the caller: [B, C, H, W] or of lower rank.
structkd_tensor tensor_of(void* data,
                          structkd_dtype dtype,
                          const std::vector<int64_t>& sizes,
                          bool channels_last = false);

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_ARRAYS_H
