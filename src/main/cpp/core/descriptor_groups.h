// core/descriptor_groups.h: how the columns of a similarity map are cut into groups, and which
// group an entry belongs to. Integers and a few exact divisions, the same for every backend; shared
// with CUDA sources.
#ifndef STRUCTKD_CORE_DESCRIPTOR_GROUPS_H
#define STRUCTKD_CORE_DESCRIPTOR_GROUPS_H

#include "core/permutation.h"
#include "structkd/global_structural.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// The groups of one image of M samples. Shuffled column p belongs to group p / width. Groups 0 ..
// full-1 count `factor` each, group `full`, which holds the remaining columns, counts
// `rest_factor`; both without tau^2.
struct DescriptorGroups {
  int64_t M;
  int64_t width;
  int64_t full;
  int64_t count;  // full, plus one if columns remain, counted or dropped
  double factor;
  double rest_factor;
};

STRUCTKD_HOST_DEVICE inline double reduction_factor(structkd_group_reduction reduction,
                                                    int64_t entries,
                                                    int64_t M) {
  switch (reduction) {
    case STRUCTKD_GROUP_REDUCTION_DIV_L:
      return 1.0 / double(entries);
    case STRUCTKD_GROUP_REDUCTION_DIV_M:
      return 1.0 / double(M);
    default:
      return 1.0;
  }
}

// Width of the full groups, group_width as in the params struct; classes = C_b. M >= 1. 0: there
// are none.
STRUCTKD_HOST_DEVICE inline int64_t full_width(int64_t M, int64_t classes, int64_t group_width) {
  int64_t width = group_width;
  if (group_width < 0) {
    // Cut to what exceeds M before it can overflow (classes are counted in 32 bits): all widths
    // above M mean the same.
    const int64_t per_class = group_width < -M ? M + 1 : -group_width;
    width = classes <= 0 ? 0 : per_class * classes;
  }
  return width <= 0 || width > M ? 0 : width;
}

STRUCTKD_HOST_DEVICE inline DescriptorGroups make_groups(int64_t M,
                                                         int64_t classes,
                                                         int64_t group_width,
                                                         structkd_group_reduction reduction,
                                                         structkd_remainder remainder) {
  const int64_t width = full_width(M, classes, group_width);
  if (width == 0) {
    // No full group: every shuffled column is a group of its own, and DIV_L is the M of one column.
    const bool sum = reduction == STRUCTKD_GROUP_REDUCTION_SUM;
    return DescriptorGroups{M, 1, M, M, sum ? 1.0 : 1.0 / double(M), 0.0};
  }
  const int64_t full = M / width, rest = M % width;
  const bool averaged = rest > 0 && remainder == STRUCTKD_REMAINDER_AVERAGED;
  const double mean = 1.0 / double(full + (averaged ? 1 : 0));
  DescriptorGroups groups{M, width, full, full + (rest > 0 ? 1 : 0), 0.0, 0.0};
  groups.factor = mean * reduction_factor(reduction, M * width, M);
  if (rest > 0 && remainder != STRUCTKD_REMAINDER_DROPPED) {
    groups.rest_factor = (averaged ? mean : 1.0) * reduction_factor(reduction, M * rest, M);
  }
  return groups;
}

STRUCTKD_HOST_DEVICE inline double factor_of(const DescriptorGroups& groups, int64_t group) {
  return group < groups.full ? groups.factor : groups.rest_factor;
}

// labels[j] = group of entry (row, j), j < M, for a permutation given as a table row: entries[p] is
// the column at position p, those outside [0, M) are left out. Columns that no entry names get -1.
STRUCTKD_HOST_DEVICE inline void label_row_by_table(const DescriptorGroups& groups,
                                                    const int32_t* entries,
                                                    int64_t stride,
                                                    int64_t count,
                                                    int32_t* labels) {
  for (int64_t j = 0; j < groups.M; ++j) labels[j] = -1;
  int64_t position = 0;
  for (int64_t p = 0; p < count && position < groups.M; ++p) {
    const int32_t j = entries[p * stride];
    if (j < 0 || j >= groups.M || labels[j] >= 0) continue;
    labels[j] = int32_t(position++ / groups.width);
  }
}

// The number that a row's permutation is drawn with, beside the image's key.
STRUCTKD_HOST_DEVICE inline uint32_t shuffle_stream(structkd_shuffle shuffle, int64_t row) {
  return shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0u : uint32_t(row);
}

// Labels a row likewise, by a permutation drawn with the image's key.
STRUCTKD_HOST_DEVICE inline void label_row_by_key(const DescriptorGroups& groups,
                                                  RandomKey image,
                                                  structkd_shuffle shuffle,
                                                  int64_t row,
                                                  int32_t* labels) {
  const RandomKey key = absorb(image, shuffle_stream(shuffle, row));
  const Permutation pi = make_permutation(key, uint32_t(groups.M));
  for (int64_t j = 0; j < groups.M; ++j) {
    labels[j] = int32_t(position_of(pi, uint32_t(j)) / groups.width);
  }
}

STRUCTKD_HOST_DEVICE inline void label_row_in_order(const DescriptorGroups& groups,
                                                    int32_t* labels) {
  for (int64_t j = 0; j < groups.M; ++j) labels[j] = int32_t(j / groups.width);
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_DESCRIPTOR_GROUPS_H
