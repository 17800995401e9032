// core/pairwise_args.cpp: checks of the pair-wise loss.
#include "core/pairwise_args.h"

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "pair-wise loss";

PairwiseArgs checked(const Map& student,
                     const Map& teacher,
                     const structkd_pairwise_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/false);
  require_counted_channels(kLoss, student, teacher);
  require_enum(kLoss, "params->norm", params.norm, 2);
  require_enum(kLoss, "params->eps_mode", params.eps_mode, 2);
  require_enum(kLoss, "params->pairs", params.pairs, 2);
  require_enum(kLoss, "params->precision", params.precision, 2);
  require_enum(kLoss, "params->compare", params.compare, 2);
  require_enum(kLoss, "params->reduction", params.reduction, 2);
  require_positive(kLoss, "params->eps", params.eps);
  PairwiseArgs args{};
  args.norm = params.norm;
  args.eps_mode = params.eps_mode;
  args.pairs = params.pairs;
  args.precision = params.precision;
  args.compare = params.compare;
  args.reduction = params.reduction;
  args.eps = params.eps;
  args.kappa = params.kappa;
  args.weights =
      optional_plane(kLoss, "params->weights", params.weights, student, STRUCTKD_F32, STRUCTKD_F32);
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(pairwise, structkd::kLoss, structkd::checked)
