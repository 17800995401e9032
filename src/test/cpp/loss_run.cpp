// src/test/cpp/loss_run.cpp: one call of a loss as its tests make it.
#include "loss_run.h"

#include <limits>

namespace structkd::test {

Outcome run_loss(const std::string& backend,
                 const TestTensor& student,
                 const How& how,
                 const WorkspaceCall& workspace_bytes,
                 const RunCall& run) {
  const structkd_ctx ctx{backend.c_str(), nullptr, how.threads};
  const int64_t* n = student.view()->sizes;
  const structkd_dtype dtype = student.view()->dtype;
  TestTensor grad({n[0], n[1], n[2], n[3]}, how.f32_grad ? STRUCTKD_F32 : dtype, how.grad_layout);
  grad.fill([](int64_t) { return 3.0; });  // must be overwritten, where the gradient is 0 too
  size_t bytes = 0;
  Scalar<double> loss(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(STRUCTKD_OK, workspace_bytes(&ctx, &bytes)) << structkd_last_error();
  AlignedBytes workspace(bytes);
  EXPECT_EQ(STRUCTKD_OK,
            run(&ctx, workspace.data(), loss.get(), how.want_grad ? grad.view() : nullptr))
      << structkd_last_error();
  finish_calls();
  EXPECT_TRUE(grad.gaps_untouched());
  return {read_loss(loss.get(), dtype), grad.values(), structkd_last_plan()};
}

}  // namespace structkd::test
