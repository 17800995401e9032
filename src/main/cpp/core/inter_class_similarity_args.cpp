// core/inter_class_similarity_args.cpp: checks of the inter-class similarity loss.
#include "core/inter_class_similarity_args.h"

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "inter-class similarity loss";

InterClassSimilarityArgs checked(const Map& student,
                                 const Map& teacher,
                                 const structkd_inter_class_similarity_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/true);
  require_enum(kLoss, "params->row_normalize", params.row_normalize, 2);
  require_positive(kLoss, "params->temperature", params.temperature);
  InterClassSimilarityArgs args{};
  args.row_normalize = params.row_normalize != 0;
  args.temperature = params.temperature;
  args.mask = optional_plane(kLoss, "params->mask", params.mask, student, STRUCTKD_U8, STRUCTKD_U8);
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(inter_class_similarity, structkd::kLoss, structkd::checked)
