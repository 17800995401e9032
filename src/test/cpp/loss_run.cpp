// src/test/cpp/loss_run.cpp: one call of a loss as its tests make it.
#include "loss_run.h"

#include <cmath>
#include <limits>

namespace structkd::test {

structkd_ctx context(const std::string& backend, int threads) {
  structkd_ctx ctx{};
  ctx.backend = backend.c_str();
  ctx.threads = threads;
  return ctx;
}

Outcome compute(const std::string& backend,
                const TestTensor& student,
                const TestTensor& teacher,
                const LossCall& call,
                How how) {
  const structkd_ctx ctx = context(backend, how.threads);
  const int64_t* n = student.view()->sizes;
  const structkd_dtype dtype = student.view()->dtype;
  TestTensor grad({n[0], n[1], n[2], n[3]}, how.f32_grad ? STRUCTKD_F32 : dtype, how.grad_layout);
  grad.fill([](int64_t) { return 3.0; });  // must be overwritten, where the gradient is 0 too
  size_t bytes = 0;
  Scalar<double> loss(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(STRUCTKD_OK,
            call.workspace(&ctx, student.view(), teacher.view(), how.want_grad, &bytes))
      << structkd_last_error();
  AlignedBytes workspace(bytes);
  EXPECT_EQ(STRUCTKD_OK, call.run(&ctx, student.view(), teacher.view(), workspace.data(),
                                  loss.get(), how.want_grad ? grad.view() : nullptr))
      << structkd_last_error();
  finish_calls();
  EXPECT_TRUE(grad.gaps_untouched());
  return {read_loss(loss.get(), dtype), grad.values(), structkd_last_plan()};
}

void expect_equal_to_reference(
    const std::string& backend,
    const TestTensor& student,
    const TestTensor& teacher,
    const LossCall& call,
    const std::function<Bounds(const Outcome& truth, const Outcome& outcome)>& bounds) {
  SCOPED_TRACE(describe(student) + " and " + describe(teacher));
  How how;
  how.f32_grad = student.view()->dtype != STRUCTKD_F64;
  const Outcome outcome = compute(backend, student, teacher, call, how);
  SCOPED_TRACE(outcome.plan);
  how.threads = 1;
  const Outcome truth = compute("reference", student, teacher, call, how);
  const Bounds allowed = bounds(truth, outcome);
  EXPECT_NEAR(outcome.loss, truth.loss, allowed.loss);
  const double norm = std::sqrt(dot(truth.grad, truth.grad));
  EXPECT_LE(relative_error(outcome.grad, truth.grad) * (norm > 0.0 ? norm : 1.0), allowed.grad)
      << "norm of the gradient: " << norm;
  how.want_grad = false;
  EXPECT_EQ(outcome.loss, compute(backend, student, teacher, call, how).loss);
}

}  // namespace structkd::test
