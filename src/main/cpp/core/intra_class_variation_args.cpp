// core/intra_class_variation_args.cpp: checks of the intra-class variation loss.
#include "core/intra_class_variation_args.h"

#include <cinttypes>

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "intra-class variation loss";

Plane checked_labels(const structkd_tensor* labels, const Map& map) {
  constexpr char kName[] = "params->labels";
  require_given(kLoss, kName, labels);
  const structkd_dtype dtype = labels->dtype;
  if (dtype != STRUCTKD_U8 && dtype != STRUCTKD_I32 && dtype != STRUCTKD_I64) {
    fail(STRUCTKD_ERR_DTYPE, "%s: %s is %s, expected u8, i32 or i64", kLoss, kName,
         dtype_name(dtype));
  }
  return optional_plane(kLoss, kName, labels, map, dtype, dtype);
}

IntraClassVariationArgs checked(const Map& student,
                                const Map& teacher,
                                const structkd_intra_class_variation_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/false);
  // Classes and positions are counted in 32 bits: tables of them are read once for each position.
  if (student.H * student.W > INT32_MAX) {
    fail(STRUCTKD_ERR_SHAPE, "%s: student %s has more than 2^31 - 1 positions", kLoss,
         shape_text(student).c_str());
  }
  require_at_least(kLoss, "params->num_classes", params.num_classes, 1);
  if (params.num_classes > INT32_MAX) {
    fail(STRUCTKD_ERR_VALUE, "%s: params->num_classes is %" PRId64 ", expected at most 2^31 - 1",
         kLoss, params.num_classes);
  }
  IntraClassVariationArgs args{};
  args.classes = params.num_classes;
  args.labels = checked_labels(params.labels, student);
  args.mask = optional_plane(kLoss, "params->mask", params.mask, student, STRUCTKD_U8, STRUCTKD_U8);
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(intra_class_variation, structkd::kLoss, structkd::checked)
