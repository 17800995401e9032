// bench/cuda/cases.h: what is measured: a loss, at a size, in an element type, in a mode.
#ifndef STRUCTKD_BENCH_CASES_H
#define STRUCTKD_BENCH_CASES_H

#include <cstdint>
#include <string>
#include <vector>

#include "structkd/structkd.h"

namespace structkd::bench {

struct Case {
  std::string loss;    // its id
  std::string inputs;  // what maps hold: "features", "logits", or "labels": logits with labels
  std::string x_name;  // the size that the CSV has as x
  std::string shape;   // as bench/cases.json names it: "8x512x64x64-aligned"
  int64_t B = 0, C = 0, H = 0, W = 0;
  int64_t Ct = 0;  // the teacher's channels
  int64_t samples =
      0;  // per class for sampling, per image for a loss on drawn pixels; 0: all pixels
  structkd_dtype dtype = STRUCTKD_F32;
  bool aligned = false;  // the teacher is the student plus a tenth of noise
  bool fast = false;     // STRUCTKD_PRECISION_FAST, which only the pair-wise loss has
  bool channels_last = false;
  bool whole_batch = false;  // pairs across images
  std::string mode;          // a setting of the loss; empty: its usual one
  bool quick = false;        // one of the few of --quick

  std::string name() const;  // the shape, and behind it the variant: "8x512x64x64-aligned fast"
  int64_t x() const;

  int64_t pixels() const { return H * W; }
  // What the loss is computed of: nodes of one image, or of all; drawn pixels.
  int64_t nodes() const;
  bool draws() const { return inputs == "labels"; }  // samples are its result
  bool has_indices() const { return samples > 0; }
  int64_t max_samples() const { return draws() ? samples * C : samples; }
  structkd_dtype grad_dtype() const;  // F16 gradients are written in F32, as autograd takes them

  // Bytes of the maps of the batch.
  double student_bytes() const;
  double teacher_bytes() const;
  double grad_bytes() const;
};

const char* dtype_name(structkd_dtype dtype);
int64_t dtype_size(structkd_dtype dtype);

// All of bench/cases.json that are for GPUs, in its order.
std::vector<Case> all_cases();

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_CASES_H
