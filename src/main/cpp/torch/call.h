// torch/call.h: from LibTorch tensors to a call of the C API. Every op is built from these pieces.
#ifndef STRUCTKD_TORCH_CALL_H
#define STRUCTKD_TORCH_CALL_H

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>

#include "structkd/core.h"

namespace structkd {

// A tensor's memory as the C API sees it. Refuses undefined tensors, other devices than the CPU,
// sparse layouts, and dtypes or ranks that the C API does not know. The tensor must outlive the
// view.
structkd_tensor view_of(const char* loss, const char* argument, const at::Tensor& tensor);

// The wider dtype of the two: under autocast student and teacher differ.
at::ScalarType common_dtype(const char* loss, const at::Tensor& student, const at::Tensor& teacher);

// Student and teacher of a kernel call: out of the graph, in their common dtype, with their views.
struct Maps {
  at::Tensor student, teacher;
  structkd_tensor student_view, teacher_view;

  Maps(const char* loss, const at::Tensor& student, const at::Tensor& teacher);
  Maps(const Maps&) = delete;
};

// A further argument of a kernel call, out of the graph; get() is NULL where it was not given.
class OptionalView {
 public:
  OptionalView(const char* loss, const char* argument, const std::optional<at::Tensor>& given);
  OptionalView(const OptionalView&) = delete;  // get() points into it
  const structkd_tensor* get() const { return tensor_.defined() ? &view_ : nullptr; }

 private:
  at::Tensor tensor_;
  structkd_tensor view_{};
};

// The CPU backend with LibTorch's thread count, unless use_backend() chose another.
structkd_ctx cpu_context();

// Routes all CPU tensors of this process to a backend, for tests and verification: "reference" is
// the f64 definition of each loss. "" returns to the default.
STRUCTKD_API void use_backend(const std::string& name);

// A loss and, if it was wanted, d loss / d student.
struct LossAndGrad {
  at::Tensor loss;
  at::Tensor grad;
};

// Calls workspace and kernel of one loss: the two entries of the C API with everything but context,
// workspace and outputs bound by the caller.
struct KernelCall {
  std::function<structkd_status(const structkd_ctx*, int want_grad, size_t* bytes)> workspace;
  std::function<structkd_status(
      const structkd_ctx*, void* workspace, void* loss, structkd_tensor* grad)>
      run;
};
LossAndGrad call_kernel(const at::Tensor& student, bool want_grad, const KernelCall& call);

// Makes a computed loss a node of the autograd graph: `compute` runs once, now; its gradient is
// saved and multiplied by the upstream gradient in backward. Without grad mode or a student that
// requires grad only the value is computed.
at::Tensor differentiable(const char* loss,
                          const at::Tensor& student,
                          const std::function<LossAndGrad(bool want_grad)>& compute);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_CALL_H
