// src/test/cpp/loss_run.h: one call of a loss as its tests make it: exact workspace, poisoned
// outputs.
#ifndef STRUCTKD_TEST_LOSS_RUN_H
#define STRUCTKD_TEST_LOSS_RUN_H

#include <functional>
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

// The two C entries of a loss with its params bound.
struct LossCall {
  std::function<structkd_status(const structkd_ctx*,
                                const structkd_tensor* student,
                                const structkd_tensor* teacher,
                                int want_grad,
                                size_t* bytes)>
      workspace;
  std::function<structkd_status(const structkd_ctx*,
                                const structkd_tensor* student,
                                const structkd_tensor* teacher,
                                void* workspace,
                                void* loss,
                                structkd_tensor* grad)>
      run;
};

// The name is kept, not copied.
structkd_ctx context(const char* backend, int threads);

// Expects both entries to succeed and no memory but the gradient's own elements to be written.
Outcome compute(const std::string& backend,
                const TestTensor& student,
                const TestTensor& teacher,
                const LossCall& call,
                How how = {});

// The C entries of the loss that has params of this type: every loss has entries of this shape.
template <class P>
struct LossEntries {
  structkd_status (*workspace)(const structkd_ctx*,
                               const structkd_tensor* student,
                               const structkd_tensor* teacher,
                               const P*,
                               int want_grad,
                               size_t* bytes);
  structkd_status (*run)(const structkd_ctx*,
                         const structkd_tensor* student,
                         const structkd_tensor* teacher,
                         const P*,
                         void* workspace,
                         void* loss,
                         structkd_tensor* grad);
};

// What tests know of the loss that has params of type P; specialised in its <loss>_cases.h:
//   static constexpr LossEntries<P> entries;
//   static Bounds bounds(student, teacher, params, truth, outcome, scale);
template <class P>
struct LossOf;

template <class P>
const LossEntries<P>& entries_of(const P&) {
  return LossOf<P>::entries;
}

// `params` must outlive the call.
template <class P>
LossCall bind(const P* params) {
  return {[=](const structkd_ctx* ctx, const structkd_tensor* student,
              const structkd_tensor* teacher, int want_grad, size_t* bytes) {
            return LossOf<P>::entries.workspace(ctx, student, teacher, params, want_grad, bytes);
          },
          [=](const structkd_ctx* ctx, const structkd_tensor* student,
              const structkd_tensor* teacher, void* workspace, void* loss, structkd_tensor* grad) {
            return LossOf<P>::entries.run(ctx, student, teacher, params, workspace, loss, grad);
          }};
}

template <class P>
Outcome compute(const std::string& backend,
                const TestTensor& student,
                const TestTensor& teacher,
                const P& params,
                How how = {}) {
  return compute(backend, student, teacher, bind(&params), how);
}

// How far an outcome may be from the reference's: its value, and its gradient's Euclidean norm.
struct Bounds {
  double loss, grad;
};

// Compares a backend with the reference, with an f32 gradient for all but f64 inputs; also that the
// value is the same without a gradient.
void expect_equal_to_reference(
    const std::string& backend,
    const TestTensor& student,
    const TestTensor& teacher,
    const LossCall& call,
    const std::function<Bounds(const Outcome& truth, const Outcome& outcome)>& bounds);

// `scale`: how much more than usual the inputs' rounding counts.
template <class P>
void expect_equal_to_reference(const std::string& backend,
                               const TestTensor& student,
                               const TestTensor& teacher,
                               const P& params,
                               double scale = 1.0) {
  expect_equal_to_reference(
      backend, student, teacher, bind(&params), [&](const Outcome& truth, const Outcome& outcome) {
        return LossOf<P>::bounds(student, teacher, params, truth, outcome, scale);
      });
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_LOSS_RUN_H
