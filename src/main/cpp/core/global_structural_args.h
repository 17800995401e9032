// core/global_structural_args.h: checked arguments of the global structural loss and its sampling,
// as backends receive them.
#ifndef STRUCTKD_CORE_GLOBAL_STRUCTURAL_ARGS_H
#define STRUCTKD_CORE_GLOBAL_STRUCTURAL_ARGS_H

#include "core/descriptor_groups.h"
#include "core/loss_args.h"

namespace structkd {

// A table of int32 per image. data == nullptr: not given.
struct IntTable {
  int32_t* data;
  int64_t rows, columns;
  int64_t stride_b, stride_r, stride_c;  // in elements; stride_b = 0: one table for all images
};

struct GlobalStructuralSampleArgs {
  Map teacher;   // its data are read only if teacher_correct_only
  Plane labels;  // or not given
  int64_t B, H, W;
  structkd_sampling sampling;
  structkd_fill fill;
  structkd_draw draw;
  bool teacher_correct_only;
  int64_t strata;   // classes, quadrants, or 1
  int64_t samples;  // per stratum
  int64_t min_candidates;
  int64_t num_classes;
  int64_t ignore_index;
  uint64_t seed;
  const int64_t* step;
  int64_t max_samples;
  IntTable indices;  // one row per image
  IntTable counts;
};

struct GlobalStructuralArgs : LossArgs {
  IntTable indices;      // or not given; one row per image
  IntTable counts;       // or not given
  IntTable permutation;  // or not given
  int64_t max_samples;
  bool normalize;
  structkd_similarity similarity;
  structkd_shuffle shuffle;
  structkd_group_reduction reduction;
  structkd_remainder remainder;
  structkd_batch batch;
  int64_t group_width;
  double temperature;
  double eps;
  int64_t classes;
  uint64_t seed;
  const int64_t* step;
};

namespace {  // internal linkage: per-ISA sources may not share inline copies

// Samples and classes of an image. Reads the counts: on their device only.
STRUCTKD_HOST_DEVICE inline int64_t samples_of(const GlobalStructuralArgs& args, int64_t b) {
  if (args.counts.data == nullptr) return args.max_samples;
  const int64_t M = args.counts.data[b * args.counts.stride_b];
  return M < 0 ? 0 : M > args.max_samples ? args.max_samples : M;
}

STRUCTKD_HOST_DEVICE inline int64_t classes_of(const GlobalStructuralArgs& args, int64_t b) {
  if (args.counts.data == nullptr) return args.classes;
  return args.counts.data[b * args.counts.stride_b + args.counts.stride_c];
}

// Pixel of sample m, or -1.
STRUCTKD_HOST_DEVICE inline int64_t pixel_of(const GlobalStructuralArgs& args,
                                             int64_t b,
                                             int64_t m) {
  if (args.indices.data == nullptr) return m;
  const int64_t n = args.indices.data[b * args.indices.stride_b + m * args.indices.stride_c];
  return n >= 0 && n < args.student.H * args.student.W ? n : -1;
}

// The weight of image b in the loss: 1/number of images with samples, or 1 for the last of them.
STRUCTKD_HOST_DEVICE inline double image_weight(const GlobalStructuralArgs& args, int64_t image) {
  int64_t with_samples = 0, last = -1;
  for (int64_t b = 0; b < args.student.B; ++b) {
    if (samples_of(args, b) == 0) continue;
    ++with_samples;
    last = b;
  }
  if (samples_of(args, image) == 0) return 0.0;
  if (args.batch == STRUCTKD_BATCH_LAST_IMAGE) return image == last ? 1.0 : 0.0;
  return 1.0 / double(with_samples);
}

// labels[j] = group of entry (row, j) of image b, j < groups.M.
STRUCTKD_HOST_DEVICE inline void label_row(const GlobalStructuralArgs& args,
                                           const DescriptorGroups& groups,
                                           int64_t b,
                                           int64_t row,
                                           int32_t* labels) {
  if (args.shuffle == STRUCTKD_SHUFFLE_NONE) {
    label_row_in_order(groups, labels);
  } else if (args.permutation.data != nullptr) {
    const IntTable& table = args.permutation;
    const int64_t r = args.shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0 : row;
    label_row_by_table(groups, table.data + b * table.stride_b + r * table.stride_r, table.stride_c,
                       table.columns, labels);
  } else {
    label_row_by_key(groups, image_key(args.seed, *args.step, b, kPurposeShuffle), args.shuffle,
                     row, labels);
  }
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_GLOBAL_STRUCTURAL_ARGS_H
