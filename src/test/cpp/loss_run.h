// src/test/cpp/loss_run.h: one call of a loss as its tests make it: exact workspace, poisoned
// outputs.
#ifndef STRUCTKD_TEST_LOSS_RUN_H
#define STRUCTKD_TEST_LOSS_RUN_H

#include <limits>
#include <string>
#include <vector>

#include "tensors.h"

namespace structkd::test {

struct Outcome {
  double loss;
  std::vector<double> grad;
  std::string plan;
};

struct How {
  bool want_grad = true;
  int threads = 2;
  Layout grad_layout = Layout::kContiguous;
  bool f32_grad = false;
};

// The two C entries of a loss.
template <class Params>
struct LossEntries {
  structkd_status (*workspace)(const structkd_ctx*,
                               const structkd_tensor* student,
                               const structkd_tensor* teacher,
                               const Params*,
                               int want_grad,
                               size_t* bytes);
  structkd_status (*run)(const structkd_ctx*,
                         const structkd_tensor* student,
                         const structkd_tensor* teacher,
                         const Params*,
                         void* workspace,
                         void* loss,
                         structkd_tensor* grad);
};

// The type of its params tells which loss is meant.
#define STRUCTKD_TEST_ENTRIES(loss)                                                          \
  inline LossEntries<structkd_##loss##_params> entries_of(const structkd_##loss##_params&) { \
    return {structkd_##loss##_workspace, structkd_##loss};                                   \
  }
STRUCTKD_TEST_ENTRIES(pixelwise)
STRUCTKD_TEST_ENTRIES(pairwise)
STRUCTKD_TEST_ENTRIES(inter_class_similarity)
STRUCTKD_TEST_ENTRIES(global_structural)
#undef STRUCTKD_TEST_ENTRIES

// Expects both calls to succeed and no memory but the gradient's own elements to be written.
template <class Params>
Outcome run_loss(const std::string& backend,
                 const TestTensor& student,
                 const TestTensor& teacher,
                 const Params& params,
                 const How& how = {}) {
  const LossEntries<Params> entries = entries_of(params);
  const structkd_ctx ctx{backend.c_str(), nullptr, how.threads, {}};
  const int64_t* n = student.view()->sizes;
  const structkd_dtype dtype = student.view()->dtype;
  TestTensor grad({n[0], n[1], n[2], n[3]}, how.f32_grad ? STRUCTKD_F32 : dtype, how.grad_layout);
  grad.fill([](int64_t) { return 3.0; });  // must be overwritten, where the gradient is 0 too
  size_t bytes = 0;
  Scalar<double> loss(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(STRUCTKD_OK,
            entries.workspace(&ctx, student.view(), teacher.view(), &params, how.want_grad, &bytes))
      << structkd_last_error();
  AlignedBytes workspace(bytes);
  EXPECT_EQ(STRUCTKD_OK,
            entries.run(&ctx, student.view(), teacher.view(), &params, workspace.data(), loss.get(),
                        how.want_grad ? grad.view() : nullptr))
      << structkd_last_error();
  finish_calls();
  EXPECT_TRUE(grad.gaps_untouched());
  return {read_loss(loss.get(), dtype), grad.values(), structkd_last_plan()};
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_LOSS_RUN_H
