// torch/call.h: from LibTorch tensors to a call of the C API. Every op is built from these pieces.
#ifndef STRUCTKD_TORCH_CALL_H
#define STRUCTKD_TORCH_CALL_H

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "structkd/core.h"

namespace structkd {

// Refuses what has no memory that strides describe: undefined and nested tensors, other devices
// than CPU and CUDA, sparse and mkldnn layouts, quantized values, and a tensor that reaches behind
// the end of its storage (whose memory was released or shrunk).
void require_dense(const char* loss, const char* argument, const at::Tensor& tensor);

// The tensor out of the graph, with memory that holds its value: the negative bit of a view is
// resolved, zeros without memory get some. Refuses what require_dense refuses. Without such a bit
// no element is copied. (A conjugate bit has no tensor of a real dtype.)
at::Tensor plain(const char* loss, const char* argument, const at::Tensor& tensor);

// The memory of a plain tensor as the C API sees it. Refuses what is not plain, and dtypes or ranks
// that the C API does not know. The tensor must outlive the view.
structkd_tensor view_of(const char* loss, const char* argument, const at::Tensor& tensor);

// Refuses two arguments of a call that are on different devices, with a sentence that names both.
void require_same_device(const char* loss,
                         const char* one,
                         const at::Tensor& tensor,
                         const char* other,
                         const at::Tensor& other_tensor);

// The wider dtype of the two: under autocast student and teacher differ.
at::ScalarType common_dtype(const char* loss, const at::Tensor& student, const at::Tensor& teacher);

// Student and teacher of a kernel call: plain, in their common dtype, with their views.
struct Maps {
  const char* loss;
  at::Tensor student, teacher;
  structkd_tensor student_view, teacher_view;

  Maps(const char* loss, const at::Tensor& student, const at::Tensor& teacher);
  Maps(const Maps&) = delete;
};

// A further argument of a kernel call, plain, on the device of a map; get() is NULL where it was
// not given.
class OptionalView {
 public:
  OptionalView(const Maps& maps, const char* argument, const std::optional<at::Tensor>& given);
  OptionalView(const char* loss,
               const char* argument,
               const std::optional<at::Tensor>& given,
               const char* map_argument,
               const at::Tensor& map);
  OptionalView(const OptionalView&) = delete;  // get() points into it
  const structkd_tensor* get() const { return tensor_.defined() ? &view_ : nullptr; }

 private:
  at::Tensor tensor_;
  structkd_tensor view_{};
};

// A loss and, if it was wanted, d loss / d student.
struct LossAndGrad {
  at::Tensor loss;
  at::Tensor grad;
};

// The type of structkd_<loss>, by which the C API computes a loss.
template <class Params>
using RunEntry = structkd_status (*)(const structkd_ctx*,
                                     const structkd_tensor* student,
                                     const structkd_tensor* teacher,
                                     const Params*,
                                     void* workspace,
                                     void* loss,
                                     structkd_tensor* grad);

// Makes the outputs of a loss and the place where it runs, and hands them to its one call.
LossAndGrad call_kernel(
    const Maps& maps,
    bool want_grad,
    const std::function<structkd_status(const structkd_ctx*, void* loss, structkd_tensor* grad)>&
        call);

// The loss of two maps and params, whose tensors must lie beside the maps.
template <class Params>
LossAndGrad call_loss(RunEntry<Params> entry,
                      const Maps& maps,
                      const Params& params,
                      bool want_grad) {
  return call_kernel(maps, want_grad,
                     [&](const structkd_ctx* ctx, void* loss, structkd_tensor* grad) {
                       return entry(ctx, &maps.student_view, &maps.teacher_view, &params,
                                    /*workspace=*/nullptr, loss, grad);
                     });
}

// Makes a computed loss a node of the autograd graph: `compute` runs once, now; its gradient is
// saved and multiplied by the upstream gradient in backward. Without grad mode or a student that
// requires grad only the value is computed.
at::Tensor differentiable(const char* loss,
                          const at::Tensor& student,
                          const std::function<LossAndGrad(bool want_grad)>& compute);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_CALL_H
