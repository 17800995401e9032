// core/relational_args.cpp: checks of the relational loss.
#include "core/relational_args.h"

#include <cinttypes>

#include "core/loss_entry.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "relational loss";

// The matrices of so many embeddings take 5 * 8 GB.
constexpr int64_t kMostEmbeddings = 32768;

RelationalArgs checked(const Map& student,
                       const Map& teacher,
                       const structkd_relational_params& params) {
  require_same_maps(kLoss, student, teacher, /*same_channels=*/false);
  // Each size by itself first: their product may not fit 64 bits.
  const int64_t B = student.B, H = student.H, W = student.W;
  if (B > kMostEmbeddings || H > kMostEmbeddings || W > kMostEmbeddings ||
      B * H * W > kMostEmbeddings) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: student %s has more than %" PRId64 " embeddings, of which all pairs are compared",
         kLoss, shape_text(student).c_str(), kMostEmbeddings);
  }
  require_enum(kLoss, "params->relation", params.relation, 3);
  require_enum(kLoss, "params->normalize", params.normalize, 2);
  RelationalArgs args{};
  args.relation = params.relation;
  args.normalize = params.normalize != 0;
  return args;
}

}  // namespace
}  // namespace structkd

STRUCTKD_LOSS_ENTRIES(relational, structkd::kLoss, structkd::checked)
