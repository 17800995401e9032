// reference/global_structural_sample.cpp: the sampling of the global structural loss, stratum by
// stratum and sample by sample. Slow on purpose: every sample searches the whole image. All
// backends are tested against it: a change here redefines the sampling.
#include <cmath>

#include "core/error.h"
#include "core/sampling.h"
#include "reference/access.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

// The lowest class with the largest logit.
int64_t teacher_class(const GlobalStructuralSampleArgs& args, int64_t b, int64_t n) {
  int64_t best = 0;
  double largest = -HUGE_VAL;
  for (int64_t k = 0; k < args.teacher.C; ++k) {
    const double logit = at(args.teacher, b, k, n);
    if (logit > largest) largest = logit, best = k;
  }
  return best;
}

// Class of a candidate, -1 for other pixels.
int32_t candidate_class(const GlobalStructuralSampleArgs& args, int64_t b, int64_t n) {
  if (args.labels.data == nullptr) return 0;
  const double label = at(args.labels, b, n, args.W);
  if (label == double(args.ignore_index) || label < 0 || label >= double(args.num_classes)) {
    return -1;
  }
  if (args.teacher_correct_only && teacher_class(args, b, n) != int64_t(label)) return -1;
  return int32_t(label);
}

struct Image {
  const GlobalStructuralSampleArgs& args;
  const int32_t* classes;  // [H * W]
  SampleKeys keys;

  int64_t stratum(int64_t n) const { return classes[n] < 0 ? -1 : stratum_of(args, n, classes[n]); }

  // The r-th smallest rank among a stratum's own candidates, or among those of all others.
  int64_t nth(int64_t wanted, bool own, int64_t r) const {
    uint64_t last = 0, found = 0;
    for (int64_t step = 0; step <= r; ++step) {
      bool any = false;
      for (int64_t n = 0; n < args.H * args.W; ++n) {
        if (stratum(n) < 0 || (stratum(n) == wanted) != own) continue;
        const uint64_t rank = own ? sample_rank(keys, n) : fill_rank(keys, wanted, n);
        if (step > 0 && rank <= last) continue;
        if (!any || rank < found) found = rank, any = true;
      }
      last = found;
    }
    return pixel_of_rank(found);
  }
};

void sample_image(const GlobalStructuralSampleArgs& args, int64_t b, int32_t* classes) {
  const Image image{args, classes, sample_keys(args, b)};
  const int64_t N = args.H * args.W;
  int64_t all = 0, kept = 0, samples = 0;
  for (int64_t n = 0; n < N; ++n) {
    classes[n] = candidate_class(args, b, n);
    if (classes[n] >= 0) ++all;
  }
  int32_t* row = args.indices.data + b * args.indices.stride_b;
  for (int64_t stratum = 0; stratum < args.strata; ++stratum) {
    int64_t own = 0;
    for (int64_t n = 0; n < N; ++n) own += image.stratum(n) == stratum;
    const int64_t given = samples_given(args, own);
    const int64_t others = args.fill == STRUCTKD_FILL_OTHER_CLASSES ? all - own : 0;
    for (int64_t r = 0; r < given; ++r) {
      int64_t n;
      if (r < own) {
        n = image.nth(stratum, true, r);
      } else if (r < own + others) {
        n = image.nth(stratum, false, r - own);
      } else {
        const int64_t pool = others > 0 ? others : own;
        const int64_t pick = repeated(image.keys, stratum, r - own - others, pool);
        n = image.nth(stratum, others == 0, pick);
      }
      row[samples++ * args.indices.stride_c] = int32_t(n);
    }
    if (given > 0) ++kept;
  }
  for (int64_t m = samples; m < args.indices.columns; ++m) row[m * args.indices.stride_c] = -1;
  if (args.sampling != STRUCTKD_SAMPLING_CLASS_BALANCED && samples > 0) {
    kept = 0;
    for (int64_t k = 0; k < args.num_classes; ++k) {
      bool present = false;
      for (int64_t n = 0; n < N; ++n) present = present || classes[n] == k;
      kept += present;
    }
  }
  int32_t* counts = args.counts.data + b * args.counts.stride_b;
  counts[0] = int32_t(samples);
  counts[args.counts.stride_c] = int32_t(kept);
}

}  // namespace

size_t global_structural_sample_workspace(const Launch&, const GlobalStructuralSampleArgs& args) {
  return size_t(args.H * args.W) * sizeof(int32_t);
}

void global_structural_sample(const Launch&,
                              const GlobalStructuralSampleArgs& args,
                              void* workspace) {
  for (int64_t b = 0; b < args.B; ++b) sample_image(args, b, static_cast<int32_t*>(workspace));
  set_plan("global_structural_sample: reference, %lld images", static_cast<long long>(args.B));
}

}  // namespace structkd::reference
