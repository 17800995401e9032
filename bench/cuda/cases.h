// bench/cuda/cases.h: what is measured: a loss, at a size, in an element type, in a mode.
#ifndef STRUCTKD_BENCH_CASES_H
#define STRUCTKD_BENCH_CASES_H

#include <cstdint>
#include <string>
#include <vector>

#include "structkd/structkd.h"

namespace structkd::bench {

enum class Loss {
  kPixelwise,
  kPairwise,
  kInterClassSimilarity,
  kGlobalStructuralSample,
  kGlobalStructural
};

struct Case {
  Loss loss;
  int64_t B, C, H, W;
  int64_t Ct = 0;  // the teacher's channels; 0: C
  int64_t samples =
      0;  // per class for sampling, per image for a loss on drawn pixels; 0: all pixels
  structkd_dtype dtype = STRUCTKD_F32;
  bool aligned = false;  // the teacher is the student plus a tenth of noise
  bool fast = false;     // STRUCTKD_PRECISION_FAST, which only the pair-wise loss has
  bool channels_last = false;
  bool whole_batch = false;  // pairs across images
  bool quick = false;        // one of the few of --quick

  int64_t pixels() const { return H * W; }
  int64_t teacher_channels() const { return Ct > 0 ? Ct : C; }
  // What the loss is computed of: nodes of one image, or of all; drawn pixels.
  int64_t nodes() const;

  std::string kernel() const;  // as in the other benchmarks' files: "pairwise"
  std::string name() const;    // "8x512x64x64 aligned fast"
  const char* x_name() const;  // the size that the CSV has as x
  int64_t x() const;

  // What the algorithm must do at least, for value and gradient of the batch (kernels' comments and
  // docs/methods): bytes between chip and device memory, and floating-point operations of the
  // products. 0: there are none.
  double bytes() const;
  double flops() const;
};

const char* dtype_name(structkd_dtype dtype);
int64_t dtype_size(structkd_dtype dtype);

std::vector<Case> all_cases();

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_CASES_H
