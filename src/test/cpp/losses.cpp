// src/test/cpp/losses.cpp: the table of the losses. A row is made in <loss>_cases.cpp.
#include "losses.h"

#include <set>

#include "core/backend.h"

namespace structkd::test {

Loss pairwise_row();
Loss pixelwise_row();
Loss inter_class_similarity_row();
Loss global_structural_row();

const std::vector<Loss>& losses() {
  static const std::vector<Loss> rows = {
      pairwise_row(),
      pixelwise_row(),
      inter_class_similarity_row(),
      global_structural_row(),
  };
  return rows;
}

namespace {

TEST(Losses, EveryKernelLossHasARow) {
  std::set<std::string> kernels = {
#define STRUCTKD_TEST_NAME(entry, Args) #entry,
      STRUCTKD_KERNELS(STRUCTKD_TEST_NAME)};
  kernels.erase("global_structural_sample");  // draws pixels, computes no loss
  std::set<std::string> rows;
  for (const Loss& loss : losses()) rows.insert(loss.id);
  EXPECT_EQ(kernels, rows);
}

}  // namespace
}  // namespace structkd::test
